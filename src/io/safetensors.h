/*
** safetensors: named tensors and text in one file, without code.
*/
#ifndef nx_safetensors_h
#define nx_safetensors_h

#include "io/json.h"
#include "tensor/tensor.h"

typedef struct nx_entry {
  const char *name;
  int dtype;                   /* as it will be in memory */
  int widen;                   /* the file's own type, where it is not ours */
  int ndim;
  int64_t shape[NEAP_MAXDIM];
  size_t begin, end;           /* bytes of the data part */
} nx_entry;

typedef struct nx_pair { const char *key, *value; } nx_pair;

/* An open file: its table, and all its bytes. */
typedef struct nx_safe {
  nx_ctx *C;
  nx_json_file json;
  nx_entry *entries;
  nx_pair *metadata;
  size_t n, nmetadata, room, meta_room;
  const char *data;            /* behind the header */
  void *file;
  size_t file_size;
} nx_safe;

/* Reads and checks everything but the numbers. Close in any case. */
int nx_safe_open (nx_ctx *C, nx_safe *s, const char *path);
/* The same from memory, which must stay. 'what' names it in messages. */
int nx_safe_open_bytes (nx_ctx *C, nx_safe *s, const char *what,
                        const void *bytes, size_t size);
void nx_safe_close (nx_safe *s);
/* A tensor of the file, in the current scope. */
nx_tensor *nx_safe_tensor (nx_ctx *C, const nx_safe *s, const nx_entry *e);
/* The same over the memory of the file, which must stay, where it can be. */
nx_tensor *nx_safe_borrow (nx_ctx *C, const nx_safe *s, const nx_entry *e);

/*
** Writes a file as a whole or not at all. Tensors are sorted by the size
** of their elements and by name, so that all lie aligned and the same
** contents give the same bytes.
*/
int nx_safe_save (nx_ctx *C, const char *path, size_t n,
                  const char *const *names, nx_tensor *const *tensors,
                  size_t nmetadata, const nx_pair *metadata);

#endif
