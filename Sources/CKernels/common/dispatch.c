// syscall() is no part of C.
#define _DEFAULT_SOURCE
#include "tables.h"

const struct sl_kernels *sl_kernels_without_fma(void) { return &sl_scalar_kernels; }

#if defined(__x86_64__)
#include <cpuid.h>
#include <xmmintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/// What the paths are compiled for (the target strings in their folders). The compiler's check includes
/// the operating system's part: that it saves the wide registers.
static int has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static int has_avx512_vnni(void) { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

/// Tile registers with byte products, and the system's leave to use them: Linux gives a process the room for their
/// 8 KiB a thread only when asked. Asking again changes nothing.
static int has_amx(void)
{
    unsigned int a, b, c, d;
    const unsigned int tiles = 1u << 24, byte_products = 1u << 25; // of leaf 7, edx
    if (!has_avx512_vnni() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (!(d & tiles) || !(d & byte_products)) return 0;
#if defined(__linux__)
    const long request = 0x1023, tile_data = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
#else
    return 0;
#endif
}

const struct sl_kernels *sl_kernels_find(enum sl_isa isa)
{
    __builtin_cpu_init();
    switch (isa) {
    case SL_ISA_SCALAR: return __builtin_cpu_supports("fma") ? &sl_scalar_fma_kernels : &sl_scalar_kernels;
    case SL_ISA_AVX2: return has_avx2() ? &sl_avx2_kernels : NULL;
    case SL_ISA_AVX_VNNI:
        if (has_avx2() && __builtin_cpu_supports("avxvnni")) return &sl_avx_vnni_kernels;
        return has_avx512_vnni() ? &sl_avx_vnni_evex_kernels : NULL;
    case SL_ISA_AVX512: return has_avx512() ? &sl_avx512_kernels : NULL;
    case SL_ISA_AVX512_VNNI: return has_avx512_vnni() ? &sl_avx512_vnni_kernels : NULL;
    case SL_ISA_AMX: return has_amx() ? &sl_amx_kernels : NULL;
    default: return NULL;
    }
}

static const unsigned int control_default = 0x1f80; // all exceptions masked, to nearest, denormals kept
static const unsigned int control_mask = 0xffc0;    // all but the sticky flags

int32_t sl_float_environment_is_default(void) { return (_mm_getcsr() & control_mask) == control_default; }

void sl_float_environment_set_default(void) { _mm_setcsr(control_default); }

#else

#if defined(__aarch64__)
#include <sys/auxv.h>

const struct sl_kernels *sl_kernels_find(enum sl_isa isa)
{
    const unsigned long dot_products = 1ul << 20; // HWCAP_ASIMDDP
    switch (isa) {
    case SL_ISA_SCALAR: return &sl_scalar_kernels;
    case SL_ISA_NEON: return getauxval(AT_HWCAP) & dot_products ? &sl_neon_kernels : NULL;
    default: return NULL;
    }
}

int32_t sl_float_environment_is_default(void)
{
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return (control & 0x7ff9f07) == 0; // rounding mode, flush to zero, default NaN, other halves, traps
}

void sl_float_environment_set_default(void)
{
    uint64_t zero = 0;
    __asm__ volatile("msr fpcr, %0" : : "r"(zero));
}

#else

const struct sl_kernels *sl_kernels_find(enum sl_isa isa) { return isa == SL_ISA_SCALAR ? &sl_scalar_kernels : NULL; }

int32_t sl_float_environment_is_default(void) { return 1; }
void sl_float_environment_set_default(void) {}

#endif
#endif
