/*
** Tensors: typed, counted storage seen through sizes and strides.
*/
#ifndef nx_tensor_h
#define nx_tensor_h

#include "base/context.h"
#include "simd/kernels.h"

/* The elements. Counted from any thread: views and contexts share it. */
typedef struct nx_storage {
  atomic_int refs;
  unsigned version;            /* raised by every change in place */
  size_t size;                 /* bytes of the block, this header included */
} nx_storage;

/*
** What ties a tensor to the tape. The tape's own structure begins with
** this one; a tensor that carries no gradient has none.
*/
typedef struct nx_link nx_link;
struct nx_link {
  void (*release) (nx_ctx *C, nx_link *l);
};

enum {
  NX_IS_NUMBER_FLAG = 1,       /* a bare number: adapts to its partner */
  NX_HELD = 2,                 /* parameter, buffer, gradient: no scope's */
  NX_LEARNED = 4               /* a parameter, also before a module has it */
};

struct neap_tensor {
  nx_ctx *C;
  int refs;
  unsigned char dtype, ndim;
  unsigned short flags;
  int64_t len;                 /* number of elements */
  nx_storage *store;           /* NULL: only a shape */
  char *data;                  /* first element */
  nx_link *link;
  int64_t shape[NEAP_MAXDIM], stride[NEAP_MAXDIM];   /* in elements */
};

/* sizes of a shape in a message: "32x12"; "()" for a 0-d tensor */
#define NX_SHAPE_TEXT 176
const char *nx_shape_text (int ndim, const int64_t *shape, char *out);
#define nx_shape_of(t, out) nx_shape_text((t)->ndim, (t)->shape, out)

/*
** Ownership: a new tensor belongs to the current scope. nx_push opens a
** scope, nx_pop gives back all tensors made since, except 'result' (may
** be NULL), which moves to the scope around. nx_keep makes a tensor the
** caller's own, to be given back by nx_unref.
*/
size_t nx_push (nx_ctx *C);
nx_tensor *nx_pop (nx_ctx *C, size_t mark, nx_tensor *result);
nx_tensor *nx_keep (nx_tensor *t);
/* The other way: a reference of one's own goes to the current scope. */
int nx_give (nx_ctx *C, nx_tensor *t);
void nx_unref (nx_tensor *t);

/*
** The number of elements of a shape, checked against overflow of the
** bytes; -1 leaves the error. 'who' names the caller in it.
*/
int64_t nx_count (nx_ctx *C, const char *who, int dtype, int ndim,
                  const int64_t *shape);

/* New tensors, in the current scope: NULL leaves the error. */
nx_tensor *nx_header (nx_ctx *C, int dtype, int ndim, const int64_t *shape);
int nx_materialize (nx_ctx *C, nx_tensor *t);        /* storage, not set */
nx_tensor *nx_new (nx_ctx *C, int dtype, int ndim, const int64_t *shape);
/* Over memory of somebody else, in row order, which must stay. */
nx_tensor *nx_borrow (nx_ctx *C, int dtype, int ndim, const int64_t *shape,
                      void *data);
nx_tensor *nx_zeros (nx_ctx *C, int dtype, int ndim, const int64_t *shape);
nx_tensor *nx_new_like (nx_ctx *C, const nx_tensor *t);
nx_tensor *nx_from_number (nx_ctx *C, double x);     /* bare numbers */
nx_tensor *nx_from_integer (nx_ctx *C, int64_t i);
nx_tensor *nx_from_boolean (nx_ctx *C, int b);
nx_tensor *nx_ghost (nx_ctx *C, const nx_tensor *t); /* shape only, owned */
/* A ghost that sees the memory of t, which it does not keep. */
nx_tensor *nx_second_header (nx_ctx *C, const nx_tensor *t);

/* Another tensor over the same storage, without tape. */
nx_tensor *nx_alias (nx_ctx *C, nx_tensor *t);
/* Lets 't' see 'data', whose storage is that of 'from'. */
void nx_share (nx_tensor *t, nx_tensor *from, char *data);

void nx_set_dense (nx_tensor *t);        /* strides of a row order */
int nx_is_dense (const nx_tensor *t);
int nx_same_shape (const nx_tensor *a, const nx_tensor *b);
/* True if several elements may be the same memory (expanded, unfolded). */
int nx_overlaps_itself (const nx_tensor *t);

/* A negative dimension counts from the end; fails when there is none. */
int nx_dim (nx_ctx *C, const char *who, const nx_tensor *t, int64_t *dim);
/* The same for a position along 'dim' (already made positive). */
int nx_position (nx_ctx *C, const char *who, const nx_tensor *t, int dim,
                 int64_t *at);

/* Element i of a dense tensor, whatever its type. */
double nx_get_number (const nx_tensor *t, const char *at);
int64_t nx_get_integer (const nx_tensor *t, const char *at);
void nx_put_number (const nx_tensor *t, char *at, double x);
void nx_put_integer (const nx_tensor *t, char *at, int64_t x);

#endif
