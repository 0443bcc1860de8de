// Vectors of 8 lanes for the templates of common/. Included inside a target region.

#define SL_LANES 8
#define SL_GROUP 4
#define SL_FEW 4
typedef __m256i vi;
typedef __m256 vf;

SL_INLINE vi v_load(const void *p) { return _mm256_loadu_si256(p); }
SL_INLINE void v_store(void *p, vi v) { _mm256_storeu_si256(p, v); }
SL_INLINE vi v_zero(void) { return _mm256_setzero_si256(); }
SL_INLINE vi v_bytes(int b) { return _mm256_set1_epi8((char)b); }
SL_INLINE vi v_set(int32_t x) { return _mm256_set1_epi32(x); }
SL_INLINE vi v_and(vi a, vi b) { return _mm256_and_si256(a, b); }
SL_INLINE vi v_or(vi a, vi b) { return _mm256_or_si256(a, b); }
SL_INLINE vi v_add8(vi a, vi b) { return _mm256_add_epi8(a, b); }
SL_INLINE vi v_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
SL_INLINE vi v_shl(vi a, int bits) { return _mm256_slli_epi32(a, bits); }
SL_INLINE vi v_shr(vi a, int bits) { return _mm256_srli_epi32(a, bits); }
SL_INLINE vi v_sar(vi a, int bits) { return _mm256_srai_epi32(a, bits); }
SL_INLINE vi v_load16(const void *p) { return _mm256_broadcastsi128_si256(_mm_load_si128(p)); }
SL_INLINE vi v_lookup(vi table, vi indices) { return _mm256_shuffle_epi8(table, indices); }
SL_INLINE vf v_to_float(vi a) { return _mm256_cvtepi32_ps(a); }

SL_INLINE vi v_broadcast(const void *p)
{
    int32_t word;
    memcpy(&word, p, 4);
    return _mm256_set1_epi32(word);
}

SL_INLINE vi v_word(const int8_t *bytes, int t) { return v_broadcast(bytes + 4 * t); }

SL_INLINE vf f_zero(void) { return _mm256_setzero_ps(); }
SL_INLINE vf f_load(const float *p) { return _mm256_load_ps(p); }
SL_INLINE vf f_load_any(const float *p) { return _mm256_loadu_ps(p); }
SL_INLINE void f_store(float *p, vf v) { _mm256_store_ps(p, v); }
SL_INLINE void f_store_any(float *p, vf v) { _mm256_storeu_ps(p, v); }
SL_INLINE vf f_load_half(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }
SL_INLINE vf f_load_bfloat(const void *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}
SL_INLINE void f_store_half(void *p, vf v) { _mm_storeu_si128(p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT)); }
SL_INLINE vf f_broadcast(const float *p) { return _mm256_set1_ps(*p); }
SL_INLINE vf f_add(vf a, vf b) { return _mm256_add_ps(a, b); }
SL_INLINE vf f_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
SL_INLINE vf f_divide(vf a, vf b) { return _mm256_div_ps(a, b); }
SL_INLINE vf f_negate(vf a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
SL_INLINE vf f_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
