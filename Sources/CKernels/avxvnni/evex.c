// The encoding of processors with AVX-512: there to test the other one's code on them.
#define SL_NAME(x) sl_avx_vnni_evex_##x
#define SL_TARGET SL_AVX2_TARGET ",avx512f,avx512vl,avx512vnni"
#define SL_DPBUSD _mm256_dpbusd_epi32
#include "multiply_quantised.h"
