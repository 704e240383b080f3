/*
** Which instruction set the kernels use.
*/
#ifndef nx_cpu_h
#define nx_cpu_h

/* Instruction sets, each wider than the one before: id, name. */
#define NX_ISA_LIST(X) X(C, "c") X(AVX2, "avx2") X(AVX512, "avx512")

enum {
#define NX_X(id, name) NX_ISA_##id,
  NX_ISA_LIST(NX_X)
#undef NX_X
  NX_NISA
};

/* The widest one the processor has, or a narrower one that NEAP_CPU asks. */
int nx_cpu_choose (void);
int nx_cpu_widest (void);
const char *nx_cpu_name (int isa);

#endif
