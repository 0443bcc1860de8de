// The encoding of processors without AVX-512.
#define SL_NAME(x) sl_avx_vnni_##x
#define SL_TARGET SL_AVX2_TARGET ",avxvnni"
#define SL_DPBUSD _mm256_dpbusd_avx_epi32
#include "multiply_quantised.h"
