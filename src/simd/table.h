/*
** The table of the kernels just defined.
*/
static const nx_kernels TABLE = {
#define NX_X(kind, name) .name = FN(name),
  NX_KERNEL_LIST(NX_X)
#if !defined(NX_INFER)
  NX_LEARN_LIST(NX_X)
#endif
#undef NX_X
  .lanes = W, .rows = MR, .cols = NR
};
