// Vectors of 4 lanes for the templates of common/. Included inside a target region.

#define SL_LANES 4
#define SL_GROUP 6
#define SL_FEW 4
typedef int32x4_t vi;
typedef float32x4_t vf;

SL_INLINE int8x16_t signed_bytes(vi a) { return vreinterpretq_s8_s32(a); }
SL_INLINE uint8x16_t unsigned_bytes(vi a) { return vreinterpretq_u8_s32(a); }

SL_INLINE vi v_load(const void *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
SL_INLINE void v_store(void *p, vi v) { vst1q_u8(p, unsigned_bytes(v)); }
SL_INLINE vi v_zero(void) { return vdupq_n_s32(0); }
SL_INLINE vi v_bytes(int b) { return vreinterpretq_s32_u8(vdupq_n_u8((uint8_t)b)); }
SL_INLINE vi v_set(int32_t x) { return vdupq_n_s32(x); }
SL_INLINE vi v_and(vi a, vi b) { return vandq_s32(a, b); }
SL_INLINE vi v_or(vi a, vi b) { return vorrq_s32(a, b); }
SL_INLINE vi v_add8(vi a, vi b) { return vreinterpretq_s32_s8(vaddq_s8(signed_bytes(a), signed_bytes(b))); }
SL_INLINE vi v_sub(vi a, vi b) { return vsubq_s32(a, b); }
// Shifts by a register: the intrinsics for constants want to see one before functions are inlined.
SL_INLINE vi v_shl(vi a, int bits) { return vshlq_s32(a, vdupq_n_s32(bits)); }
SL_INLINE vi v_shr(vi a, int bits)
{
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-bits)));
}
SL_INLINE vi v_sar(vi a, int bits) { return vshlq_s32(a, vdupq_n_s32(-bits)); }
SL_INLINE vi v_load16(const void *p) { return v_load(p); }
SL_INLINE vi v_lookup(vi table, vi indices)
{
    return vreinterpretq_s32_u8(vqtbl1q_u8(unsigned_bytes(table), unsigned_bytes(indices)));
}
SL_INLINE vf v_to_float(vi a) { return vcvtq_f32_s32(a); }

SL_INLINE vi v_broadcast(const void *p)
{
    int32_t word;
    memcpy(&word, p, 4);
    return vdupq_n_s32(word);
}

/// Word t of 32 bytes, as a lane of the 16 around it: multiplications take it from there without another load.
SL_INLINE vi v_word(const int8_t *bytes, int t)
{
    return vdupq_n_s32(vreinterpretq_s32_s8(vld1q_s8(bytes + t / 4 * 16))[t % 4]);
}

SL_INLINE vf f_zero(void) { return vdupq_n_f32(0.0f); }
SL_INLINE vf f_load(const float *p) { return vld1q_f32(p); }
SL_INLINE vf f_load_any(const float *p) { return vld1q_f32(p); }
SL_INLINE void f_store(float *p, vf v) { vst1q_f32(p, v); }
SL_INLINE void f_store_any(float *p, vf v) { vst1q_f32(p, v); }
SL_INLINE vf f_load_half(const void *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
SL_INLINE vf f_load_bfloat(const void *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}
SL_INLINE void f_store_half(void *p, vf v) { vst1_u8(p, vreinterpret_u8_f16(vcvt_f16_f32(v))); }
SL_INLINE vf f_broadcast(const float *p) { return vdupq_n_f32(*p); }
SL_INLINE vf f_add(vf a, vf b) { return vaddq_f32(a, b); }
SL_INLINE vf f_mul(vf a, vf b) { return vmulq_f32(a, b); }
SL_INLINE vf f_divide(vf a, vf b) { return vdivq_f32(a, b); }
SL_INLINE vf f_negate(vf a) { return vnegq_f32(a); }
SL_INLINE vf f_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
