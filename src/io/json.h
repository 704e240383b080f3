/*
** JSON, strictly: what our own files hold, with limits against hostile
** ones. Numbers that are not integers are doubles; keys must differ.
*/
#ifndef nx_json_h
#define nx_json_h

#include "base/fields.h"
#include "base/text.h"

typedef enum nx_json_type {
  NX_JSON_NULL, NX_JSON_BOOL, NX_JSON_INT, NX_JSON_NUMBER, NX_JSON_STRING,
  NX_JSON_ARRAY, NX_JSON_OBJECT
} nx_json_type;

typedef struct nx_json nx_json;
struct nx_json {
  nx_json_type type;
  const char *key;             /* inside an object */
  const char *text;            /* of a string */
  size_t length;               /* of the string, or number of members */
  int64_t i;
  double number;               /* of integers too */
  nx_json *child, *next;       /* first member; next one beside */
};

typedef struct nx_json_chunk nx_json_chunk;

typedef struct nx_json_file {
  nx_ctx *C;
  nx_json_chunk *chunks;       /* where the values are */
  char *text;                  /* where all strings are */
  size_t size;
} nx_json_file;

/*
** Reads exactly 'size' bytes. 'what' names the text in messages. NULL
** leaves the error; nx_json_close is due in any case.
*/
nx_json *nx_json_open (nx_ctx *C, nx_json_file *f, const char *what,
                       const char *text, size_t size);
void nx_json_close (nx_json_file *f);
const nx_json *nx_json_get (const nx_json *object, const char *key);

/* A value as one of an option field; 'what' names it in messages. */
int nx_json_value (nx_ctx *C, const char *what, const nx_json *j,
                   nx_value *v);

/* A string with its quotes. */
int nx_json_put_string (nx_text *t, const char *s, size_t n);
/* A number, a value of a field; NULL for none. */
int nx_json_put_number (nx_text *out, double x);
int nx_json_put_value (nx_text *out, const nx_value *v);
int nx_is_utf8 (const char *s, size_t n);

#endif
