/*
** Option fields: one table describes the arguments of an operation, the
** options of a layer or the settings of an optimiser, and serves reading
** from Lua, text and files, checking, printing and documentation.
*/
#ifndef nx_fields_h
#define nx_fields_h

#include "base/context.h"

#define NX_MAXFIELDS 24
#define NX_MAXARGS 640           /* bytes of a structure of options */

/*
** Kinds: id, name, what the member of the structure is.
*/
#define NX_KIND_LIST(X) \
  X(INT, "int")          /* int64_t */ \
  X(NUMBER, "number")    /* double */ \
  X(BOOL, "bool")        /* int */ \
  X(ENUM, "enum")        /* int: position in 'names' */ \
  X(INTS, "ints")        /* nx_ints: sizes, strides */ \
  X(LIST, "list")        /* nx_list: more integers than dimensions */ \
  X(DIM, "dim")          /* int64_t: counts as the user does */ \
  X(DIMS, "dims")        /* nx_ints of dimensions; none given: all */ \
  X(INDEX, "index")      /* int64_t: a position, counts as the user does */ \
  X(BASE, "base")        /* int64_t: what index contents count from */ \
  X(DRAW, "draw")        /* nx_draw: part of a random stream */ \
  X(TEXT, "text")        /* char[NX_MAXTEXT] */ \
  X(PAIR, "pair")        /* double[2] */ \
  X(TENSOR, "tensor")    /* nx_tensor *, borrowed; NULL: none */

typedef enum nx_kind {
#define NX_X(id, name) NX_KIND_##id,
  NX_KIND_LIST(NX_X)
#undef NX_X
  NX_NKINDS
} nx_kind;

const char *nx_kind_name (nx_kind kind);

typedef struct nx_ints {
  int n;                            /* -1: not given; below: a word */
  int64_t v[NEAP_MAXDIM];
} nx_ints;

/* 'n' of the i-th word that may stand for a list, and back. */
#define NX_WORD(i) (-2 - (i))

#define NX_MAXLIST 60

typedef struct nx_list {
  int n;                            /* -1: not given */
  int64_t v[NX_MAXLIST];
} nx_list;

#define NX_MAXTEXT 64

typedef struct nx_field {
  const char *name;
  nx_kind kind;
  size_t offset;                    /* in the structure of arguments */
  double fallback;                  /* default; NX_REQUIRED: none */
  const char *names;                /* of an enum: "none mean sum"; of a
                                       pair: the default */
  const char *doc;
} nx_field;

/* No default: the value must be given. */
#define NX_REQUIRED (-0x1p60)
/* Default "not given", where the code finds out by itself. */
#define NX_UNSET (-0x1p61)
#define NX_UNSET_INT INT64_MIN

#define NX_INT(s, f, d, doc) \
  {#f, NX_KIND_INT, offsetof(s, f), d, NULL, doc}
#define NX_NUMBER(s, f, d, doc) \
  {#f, NX_KIND_NUMBER, offsetof(s, f), d, NULL, doc}
#define NX_BOOL(s, f, d, doc) \
  {#f, NX_KIND_BOOL, offsetof(s, f), d, NULL, doc}
#define NX_ENUM(s, f, names, d, doc) \
  {#f, NX_KIND_ENUM, offsetof(s, f), d, names, doc}
#define NX_INTS(s, f, d, doc) \
  {#f, NX_KIND_INTS, offsetof(s, f), d, NULL, doc}
/* the same, or one of some words: n is NX_WORD(0), NX_WORD(1), ... */
#define NX_INTS_OR(s, f, words, d, doc) \
  {#f, NX_KIND_INTS, offsetof(s, f), d, words, doc}
#define NX_LIST(s, f, d, doc) \
  {#f, NX_KIND_LIST, offsetof(s, f), d, NULL, doc}
#define NX_DIM(s, f, d, doc) \
  {#f, NX_KIND_DIM, offsetof(s, f), d, NULL, doc}
#define NX_DIMS(s, f, d, doc) \
  {#f, NX_KIND_DIMS, offsetof(s, f), d, NULL, doc}
#define NX_INDEX(s, f, d, doc) \
  {#f, NX_KIND_INDEX, offsetof(s, f), d, NULL, doc}
#define NX_BASE(s, f) \
  {#f, NX_KIND_BASE, offsetof(s, f), 0, NULL, \
   "what the contents of index tensors count from"}
#define NX_DRAW(s, f) \
  {#f, NX_KIND_DRAW, offsetof(s, f), 0, NULL, \
   "where the random numbers come from"}
#define NX_TEXT(s, f, d, doc) \
  {#f, NX_KIND_TEXT, offsetof(s, f), d, NULL, doc}
/* the same with a name that the member cannot have */
#define NX_NUMBER_AS(s, f, name, d, doc) \
  {name, NX_KIND_NUMBER, offsetof(s, f), d, NULL, doc}
/* a number, or false for "none" (NX_UNSET) */
#define NX_NUMBER_OR_FALSE(s, f, d, doc) \
  {#f, NX_KIND_NUMBER, offsetof(s, f), d, "false", doc}
/* two numbers; the default as text: "0.9 0.999" */
#define NX_PAIR(s, f, d, doc) \
  {#f, NX_KIND_PAIR, offsetof(s, f), 0, d, doc}
#define NX_TENSOR(s, f, doc) \
  {#f, NX_KIND_TENSOR, offsetof(s, f), 0, NULL, doc}
#define NX_END {NULL, NX_KIND_INT, 0, 0, NULL, NULL}

/*
** A value on its way into or out of a field.
*/
typedef enum nx_tag {
  NX_IS_NIL, NX_IS_BOOL, NX_IS_INT, NX_IS_NUMBER, NX_IS_TEXT, NX_IS_INTS,
  NX_IS_NUMBERS, NX_IS_TENSOR,
  NX_IS_OTHER                       /* something no field can hold */
} nx_tag;

typedef struct nx_value {
  nx_tag tag;
  int64_t i;                        /* also of a bool */
  double number;
  const char *text;                 /* also what an OTHER is called */
  nx_tensor *tensor;
  int n;                            /* entries of a list */
  int64_t whole[NX_MAXLIST];
  double numbers[NX_MAXLIST];       /* of INTS too */
} nx_value;

void nx_value_clear (nx_value *v);      /* nil; entries are not touched */

const nx_field *nx_field_find (const nx_field *f, const char *name);

/* Defaults of all fields; required ones are left as NX_UNSET. */
void nx_fields_default (nx_ctx *C, const nx_field *f, void *args);

/*
** Sets one field from a value. 'who' names the caller in messages.
** Dimensions and positions come counted as the user counts (C->base).
*/
int nx_field_set (nx_ctx *C, const char *who, const nx_field *f, void *args,
                  const nx_value *v);

/* The value of a field, counted as the user counts. */
void nx_field_get (nx_ctx *C, const nx_field *f, const void *args,
                   nx_value *v);

/* True if the field has a default, or its value was set. */
int nx_field_given (const nx_field *f, const void *args);

/* Fails unless all required fields have been set. */
int nx_fields_check (nx_ctx *C, const char *who, const nx_field *f,
                     const void *args);

/* Sets fields from text like "dim=1 size=2,3 keepdim=true mode=sum". */
int nx_fields_parse (nx_ctx *C, const char *who, const nx_field *f,
                     void *args, const char *text);

/* Fails naming 'name' and the nearest of the fields and of 'more'. */
int nx_fields_unknown (nx_ctx *C, const char *who, const nx_field *f,
                       const char *more, const char *name);

/* The nearest word to 'name' in "a b c", to be quoted; NULL: none near. */
int nx_nearest (const char *words, const char *name, char *out, size_t room);

#endif
