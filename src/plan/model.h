/*
** Models from files, to be shared: weights, with a recorded graph or a tree
** of layers. Nothing of it changes after it was opened.
*/
#ifndef nx_model_h
#define nx_model_h

#include "plan/plan.h"

typedef struct nx_model nx_model;

/* From a file, or from memory, which may go afterwards. NULL leaves the
   error in C; the model belongs to the runtime of C. */
nx_model *nx_model_open (nx_ctx *C, const char *path);
nx_model *nx_model_bytes (nx_ctx *C, const void *bytes, size_t size);
/* The bytes stay, unchanged, as long as the model and its plans. */
nx_model *nx_model_borrow (nx_ctx *C, const void *bytes, size_t size);
nx_model *nx_model_ref (nx_model *m);     /* from any thread */
void nx_model_unref (nx_model *m);

/* A text of its metadata, or NULL. */
const char *nx_model_meta (const nx_model *m, const char *key);
int64_t nx_model_base (const nx_model *m);   /* what indices count from */
nx_tensor *nx_model_tensor (const nx_model *m, const char *name);
size_t nx_model_tensors (const nx_model *m);
const char *nx_model_tensor_name (const nx_model *m, size_t i);

/* What an input was when the model was recorded: -1 if there is none, or
   the model is a tree of layers. */
int nx_model_inputs (const nx_model *m);
const nx_tensor *nx_model_input (const nx_model *m, int i);

/*
** A plan for inputs of these types and shapes; with nin = 0, for those that
** were recorded. The plan keeps the model. 'memory' as in nx_plan_new.
*/
nx_plan *nx_model_plan (nx_ctx *C, nx_model *m, int nin,
                        const nx_tensor *const *in, void *memory,
                        size_t size);

/*
** Computes the examples of the file and compares: how many there are, or
** -1 and the error. 'worst' is the largest difference, relative to the
** largest number of an output.
*/
int nx_model_check (nx_ctx *C, nx_model *m, double *worst);

#endif
