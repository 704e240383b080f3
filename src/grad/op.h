/*
** The description of an operation, and its application.
**
** One descriptor serves every use: calls from C, functions and methods in
** Lua, checks, printing, files, documentation. It knows how to make its
** results (shape), fill them (forward) and write its gradient, as a
** formula in operations (grad), so that it can be differentiated again,
** and, where that pays, as one pass (fused).
*/
#ifndef nx_op_h
#define nx_op_h

#include "base/fields.h"
#include "grad/rows.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"
#include "tensor/walk.h"

typedef struct nx_node nx_node;
typedef struct nx_op nx_op;
typedef struct nx_hook nx_hook;         /* grad/hook.h */

enum {
  NX_VIEW = 1,          /* results share the storage of the first input */
  NX_INPLACE = 2,       /* may write over its first input */
  NX_RANDOM = 4,        /* last field is an nx_draw */
  NX_STATEFUL = 8,      /* changes some inputs ('mutates') */
  NX_NOGRAD = 16,       /* results carry no gradient */
  NX_INITIALISER = 32,  /* starting values of weights */
  NX_INNER = 64,        /* counts from 0: not for users */
  NX_ANYTYPE = 128,     /* takes types that are for storage only */
  NX_ACTIVATES = 256    /* computes what its field 'activation' says, too */
};

struct nx_op {
  const char *name, *doc;
  /*
  ** Names: "x w b?" (optional), "xs*" (any number). The last one may be
  ** followed by nothing. Results that only the gradient needs end in "~";
  ** those that some options leave out in "?"; "ys*" alone is a list.
  */
  const char *inputs, *outputs;
  const char *call;     /* "x dim index": order of a call with positions;
                           NULL: inputs, then fields */
  const nx_field *fields;
  size_t argsize;
  /* checks, and makes n->out with nx_out */
  int (*shape) (nx_ctx *C, nx_node *n);
  int (*forward) (nx_ctx *C, nx_node *n);       /* NULL: views */
  /* instead of all others: makes n->out of other operations, which are on
     the tape in its place */
  int (*compose) (nx_ctx *C, nx_node *n);
  /* gx[i], where n->wants[i], from gy; NULL means zero */
  int (*grad) (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx);
  int (*fused) (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx);
  /* the gradient of input 'table' as rows, where the arguments say so */
  int (*rows) (nx_ctx *C, nx_node *n, nx_tensor *gy, nx_rows *r);
  int table;
  const char *saves;    /* inputs and outputs that the gradient reads */
  /* the same where it depends on the arguments; NULL: 'saves' */
  const char *(*saved) (const nx_node *n);
  /* what messages and pictures call a node; NULL: 'name' */
  const char *(*title) (const nx_node *n);
  /* how many counters a random operation takes from the stream; NULL: one
     for each element of its result or first input */
  int64_t (*draws) (const nx_node *n);
  /* inputs whose elements, not only their shapes, tell what 'shape' makes or
     allows: such calls need their shape function each time */
  const char *sized_by;
  /* "h>h0 c>c0": results that are (optional) inputs of the call that goes
     on where this one ends; "=": which may change them in place */
  const char *carries;
  /*
  ** How a call may be done in pieces, with the same bits: "y0 x0, y-1 w0 b0"
  ** says that results for some places of dimension 0 of y need only those of
  ** x, and for some of the last dimension those of w and b ("b0?": if b has
  ** that dimension and size; "m~": m is the same for all). The result of a
  ** piece is one stretch of memory, unless the rules begin with "~": all at
  ** once, the last for columns. "*": all inputs go with y, element by
  ** element; "*0": along its dimension 0. NULL: only as a whole. A plan for
  ** fewer rows (plan/batch.h) goes by the same rules.
  */
  const char *cuts;
  /* the same where it depends on the arguments */
  const char *(*cutting) (const nx_node *n);
  /* multiply-adds, or what takes as long; NULL: 8 for each element */
  double (*work) (const nx_node *n);
  unsigned flags;
};

/*
** One application of an operation: on the stack while it runs, copied to
** the heap when the tape records it. Of a recorded one, inputs that are not
** in 'saves' have a shape only, and so have outputs (a single one is NULL).
*/
typedef struct nx_edge {
  nx_node *node;               /* that made the input, or NULL */
  nx_tensor *leaf;             /* a leaf that wants a gradient, or NULL */
  int out;                     /* which of the node's results */
  unsigned version;            /* of a saved input's storage */
} nx_edge;

struct nx_node {
  const nx_op *op;
  void *a;                     /* the arguments: a structure of 'fields' */
  int nin, nout;
  int room;                    /* of 'out', when it is a block of its own */
  nx_tensor **in, **out;
  unsigned char *wants;        /* which inputs need a gradient */
  int inplace;
  nx_tensor *target;           /* in place: the tensor that is changed */
  nx_tensor *into;             /* where the result is wanted, or NULL */
  /* on the tape only */
  int refs, waits;
  int busy;                    /* a backward goes through it */
  uint64_t sequence, mark;
  size_t size;
  nx_edge *edge;
  unsigned *out_version;
  nx_tensor **gy;              /* gradients gathered during backward */
  nx_node *next;               /* in the list of the doomed */
  nx_hook *hooks;              /* of its results */
  char *place;                 /* where it was recorded, if that is noted */
  int made_nan;                /* a result had the first NaN */
  int spent;                   /* what it saved is gone */
};

/* A gradient in a description: left out of libraries that only infer. */
#if defined(NX_INFER)
#define NX_LEARN(f) NULL
#else
#define NX_LEARN(f) f
#endif

/* All operations, by src/gen/gather.lua; NULL ends the list. */
extern const nx_op *const nx_ops[];
const nx_op *nx_op_named (const char *name);

/*
** Applies an operation to inputs (NULL where an optional one is left out).
** Results belong to the current scope; the first one is returned. NULL
** leaves the error.
*/
nx_tensor *nx_apply (nx_ctx *C, const nx_op *op, void *args, int nin,
                     nx_tensor *const *in);
/*
** All results: returns how many there are, or -1; 'out' receives at most
** 'room' of them. In place the first input is changed; with NX_INTO the
** only result is put into the tensor out[0].
*/
enum { NX_NEW, NX_IN_PLACE, NX_INTO };
int nx_apply_all (nx_ctx *C, const nx_op *op, void *args, int nin,
                  nx_tensor *const *in, int mode, int room,
                  nx_tensor **out);

/* Counts in an operation's lists of names; which: position of a name, -1 */
int nx_names_count (const char *names, int *optional, int *list);
int nx_names_find (const char *names, const char *name);
/* The i-th name without its mark, into 'out' of 32 bytes. */
const char *nx_names_at (const char *names, int i, char *out);

/* For 'compose': the only result, which other operations made. */
int nx_composed (nx_ctx *C, nx_node *n, nx_tensor *y);
/* Room for 'count' results (for 'shape'), when there may be many. */
int nx_out_room (nx_ctx *C, nx_node *n, int count);
/* Makes result i (for 'shape'): in place it is the first input. */
nx_tensor *nx_out (nx_ctx *C, nx_node *n, int i, int dtype, int ndim,
                   const int64_t *shape);
nx_tensor *nx_out_like (nx_ctx *C, nx_node *n, int i, const nx_tensor *t);

/* A random operation that ran takes the next part of the stream, to run
   again. */
void nx_redraw (nx_ctx *C, const nx_node *n);

/* True if this application goes on the tape. */
int nx_recorded (const nx_ctx *C, const nx_node *n);

/* out = f(in ...), element by element; fails where there is no 'f' for the
   type of the inputs. */
int nx_map_node (nx_ctx *C, nx_node *n, nx_map_fn *f, const double *c);

const char *nx_title (const nx_node *n);

/* Fails in the name of the operation. */
int nx_op_fail (nx_ctx *C, const nx_node *n, neap_code status,
                const char *fmt, ...) NX_PRINTF(4, 5);

/* There is no largest, middle ... element among none. */
int nx_fail_empty (nx_ctx *C, const nx_node *n);
/* An input of a type that can be differentiated, or fails. */
int nx_want_float (nx_ctx *C, const nx_node *n, int i);
/* An input of bool, or fails. */
int nx_want_mask (nx_ctx *C, const nx_node *n, int i);
/* An input of whole numbers (positions, labels), or fails. */
int nx_want_whole (nx_ctx *C, const nx_node *n, int i);

#define OPFN

#endif
