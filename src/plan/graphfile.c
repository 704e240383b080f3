/*
** Graphs as text.
*/
#include <stdio.h>
#include <string.h>
#include "plan/graphfile.h"


/*
** Writing. Numbers of the text count results of calls that are still there.
*/
static void put_args (nx_ctx *C, const nx_call *c, nx_text *out) {
  const nx_field *f = c->op->fields;
  int base = C->base, n = 0;
  nx_value v;
  C->base = 0;
  for (; f && f->name; f++) {
    if (f->kind == NX_KIND_DRAW) continue;
    nx_field_get(C, f, c->a, &v);
    if (v.tag == NX_IS_NIL) continue;
    nx_text_put(out, n++ ? "," : ",\"args\":{");
    nx_text_put(out, "\"%s\":", f->name);
    nx_json_put_value(out, &v);
  }
  if (n) nx_text_put(out, "}");
  C->base = base;
}

static int put_literal (const nx_tensor *t, nx_text *out) {
  nx_text_put(out, "{\"number\":");
  if (t->dtype == NEAP_BOOL) nx_text_put(out, *t->data ? "true" : "false");
  else if (nx_is_float(t->dtype))
    nx_json_put_number(out, nx_get_number(t, t->data));
  else nx_text_put(out, "%lld", (long long)nx_get_integer(t, t->data));
  /* 2 and 2.0 are different numbers in Lua */
  if (nx_is_float(t->dtype)) nx_text_put(out, ",\"float\":true");
  return nx_text_put(out, "}");
}

static int put_wire (nx_ctx *C, const nx_graph *g, const int *number, int i,
                     nx_text *out) {
  const nx_wire *w;
  if (i < 0) return nx_text_put(out, "null");
  w = &g->wires[i];
  if (w->origin == NX_LITERAL) return put_literal(w->t, out);
  if (w->origin != NX_WEIGHT) return nx_text_put(out, "%d", number[i]);
  if (*w->name) return nx_json_put_string(out, w->name, strlen(w->name));
  return nx_fail(C, NEAP_EARG, "export: a weight has no name");
}

static void put_inputs (const nx_graph *g, nx_text *out) {
  nx_text_put(out, "{\"inputs\":[");
  for (int i = 0; i < g->ngiven; i++) {
    const nx_wire *w = &g->wires[i];
    nx_text_put(out, "%s\n{\"name\":", i ? "," : "");
    nx_json_put_string(out, w->name, strlen(w->name));
    nx_text_put(out, ",\"dtype\":\"%s\",\"shape\":[",
                nx_dtype_name(w->t->dtype));
    for (int k = 0; k < w->t->ndim; k++)
      nx_text_put(out, "%s%lld", k ? "," : "", (long long)w->t->shape[k]);
    nx_text_put(out, "]}");
  }
  nx_text_put(out, "],\n\"calls\":[");
}

static void put_call (nx_ctx *C, const nx_graph *g, const int *number,
                      const nx_call *c, nx_text *out) {
  nx_text_put(out, "\n{\"op\":\"%s\",\"in\":[", c->op->name);
  for (int k = 0; k < c->nin; k++) {
    if (k) nx_text_put(out, ",");
    put_wire(C, g, number, c->in[k], out);
  }
  nx_text_put(out, "]");
  put_args(C, c, out);
  if (c->nout != 1) nx_text_put(out, ",\"out\":%d", c->nout);
  if (c->inplace) nx_text_put(out, ",\"inplace\":true");
  nx_text_put(out, "}");
}

int nx_graph_put (nx_ctx *C, const nx_graph *g, nx_text *out) {
  size_t block = (size_t)g->nwires * sizeof(int);
  int *number = nx_alloc(C, block), next = g->ngiven;
  if (number == NULL) return nx_status(C);
  for (int i = 0; i < g->ngiven; i++) number[i] = i;
  put_inputs(g, out);
  for (int i = 0; i < g->ncalls; i++) {
    const nx_call *c = &g->calls[i];
    if (i) nx_text_put(out, ",");
    put_call(C, g, number, c, out);
    for (int k = 0; k < c->nout; k++) number[c->out + k] = next++;
  }
  nx_text_put(out, "],\n\"outputs\":[");
  for (int i = 0; i < g->noutputs; i++) {
    if (i) nx_text_put(out, ",");
    put_wire(C, g, number, g->outputs[i], out);
  }
  nx_text_put(out, "]}");
  nx_free(C, number, block);
  return nx_status(C);
}


/*
** Reading: a text from anywhere. Nothing is believed.
*/
static int bad (nx_ctx *C, const char *why) {
  return nx_fail(C, NEAP_EFORMAT, "the graph %s", why);
}


static int read_args (nx_ctx *C, const nx_op *op, const nx_json *j,
                      void *args) {
  nx_value v;
  int base = C->base;
  C->base = 0;
  memset(args, 0, op->argsize);
  nx_fields_default(C, op->fields, args);
  for (j = j ? j->child : NULL; j && nx_status(C) == 0; j = j->next) {
    const nx_field *f = nx_field_find(op->fields, j->key);
    if (f == NULL || f->kind == NX_KIND_TENSOR || f->kind == NX_KIND_DRAW)
      nx_fail(C, NEAP_EFORMAT, "the graph has the option '%.40s' of %s, "
              "which has none", j->key, op->name);
    else if (nx_json_value(C, op->name, j, &v) == 0)
      nx_field_set(C, op->name, f, args, &v);
  }
  if (nx_status(C) == 0) nx_fields_check(C, op->name, op->fields, args);
  C->base = base;
  return nx_status(C);
}


#define MAX_INPUTS 65536       /* of a call */
#define MAX_RESULTS 256

typedef struct reading {
  nx_ctx *C;
  nx_graph *g;
  nx_weight_fn *weight;
  void *ud;
} reading;

static int read_literal (const reading *r, const nx_json *j) {
  const nx_json *x = nx_json_get(j, "number"), *f = nx_json_get(j, "float");
  size_t mark = nx_push(r->C);
  nx_tensor *t = NULL;
  nx_value v;
  int wire = -1;
  if (x == NULL || nx_json_value(r->C, "number", x, &v)) {
    bad(r->C, "has an input that is none");
    return -1;
  }
  if (v.tag == NX_IS_BOOL) t = nx_from_boolean(r->C, (int)v.i);
  else if (v.tag == NX_IS_NUMBER || (v.tag == NX_IS_INT && f))
    t = nx_from_number(r->C, v.number);
  else if (v.tag == NX_IS_INT) t = nx_from_integer(r->C, v.i);
  else bad(r->C, "has an input that is none");
  if (t) wire = nx_graph_wire(r->g, NX_LITERAL, t, NULL);
  nx_pop(r->C, mark, NULL);
  return wire;
}

static int read_weight (const reading *r, const nx_json *j) {
  int wire = nx_graph_named(r->g, j->text);
  nx_tensor *t;
  if (wire >= r->g->ngiven) return wire;
  t = strlen(j->text) == j->length ? r->weight(r->ud, j->text) : NULL;
  if (t == NULL) {
    nx_fail(r->C, NEAP_EFORMAT, "the graph wants a tensor '%.80s', which is "
            "not in the file", j->text);
    return -1;
  }
  return nx_graph_wire(r->g, NX_WEIGHT, t, j->text);
}

/*
** numbers[]: the wires of inputs and results so far, of which there are
** 'count'.
*/
static int read_wire (const reading *r, const nx_json *j, const int *numbers,
                      int count) {
  if (j->type == NX_JSON_STRING) return read_weight(r, j);
  if (j->type == NX_JSON_OBJECT) return read_literal(r, j);
  if (j->type == NX_JSON_INT && j->i >= 0 && j->i < count)
    return numbers[j->i];
  bad(r->C, "has an input that is none");
  return -1;
}


static int read_inputs (const reading *r, const nx_json *list,
                        int *numbers) {
  nx_value v;
  if (list == NULL || list->type != NX_JSON_ARRAY ||
      list->length > NX_MAXSHOWN)
    return bad(r->C, "has no list of inputs, or a long one");
  for (const nx_json *j = list->child; j; j = j->next) {
    const nx_json *name = nx_json_get(j, "name"), *shape, *type;
    nx_tensor *t;
    size_t mark = nx_push(r->C);
    shape = nx_json_get(j, "shape");
    type = nx_json_get(j, "dtype");
    if (shape == NULL || shape->type != NX_JSON_ARRAY || type == NULL ||
        type->type != NX_JSON_STRING || nx_dtype_named(type->text) < 0)
      return bad(r->C, "has an input without dtype and shape");
    if (nx_json_value(r->C, "shape", shape, &v)) return nx_status(r->C);
    t = nx_header(r->C, nx_dtype_named(type->text), v.n, v.whole);
    if (t == NULL) return nx_status(r->C);
    numbers[r->g->ngiven] = r->g->nwires;
    nx_graph_wire(r->g, NX_GIVEN, t,
                  name && name->type == NX_JSON_STRING ? name->text : "");
    nx_pop(r->C, mark, NULL);
  }
  return nx_status(r->C);
}


/* room for so many numbers more */
static int make_room (nx_ctx *C, int **numbers, int count, int *room,
                      int more) {
  int wanted = 2 * (*room + more), *fresh;
  if (count + more <= *room) return 0;
  fresh = nx_realloc(C, *numbers, (size_t)*room * sizeof(int),
                     (size_t)wanted * sizeof(int));
  if (fresh == NULL) return nx_status(C);
  *numbers = fresh;
  *room = wanted;
  return 0;
}

static const nx_op *read_op (const reading *r, const nx_json *name) {
  int known = name && name->type == NX_JSON_STRING;
  const nx_op *op = known ? nx_op_named(name->text) : NULL;
  if (op && op->compose == NULL) return op;
  nx_fail(r->C, NEAP_EFORMAT, "the graph calls '%.40s', which is no "
          "operation of this library", known ? name->text : "");
  return NULL;
}

/* -1: no number that makes sense */
static int read_nout (const nx_json *out) {
  if (out == NULL) return 1;
  return out->type == NX_JSON_INT && out->i >= 0 && out->i <= MAX_RESULTS
         ? (int)out->i : -1;
}

static int read_call_inputs (const reading *r, const nx_json *in,
                             const int *numbers, int count, nx_call *c) {
  int n = 0;
  for (const nx_json *at = in->child; at; at = at->next, n++) {
    c->in[n] = at->type == NX_JSON_NULL ? -1
             : read_wire(r, at, numbers, count);
    if (at->type != NX_JSON_NULL && c->in[n] < 0) return nx_status(r->C);
  }
  return 0;
}

static int read_call (const reading *r, const nx_json *j, int **numbers,
                      int *count, int *room) {
  const nx_json *in = nx_json_get(j, "in");
  const nx_json *inplace = nx_json_get(j, "inplace");
  union { char bytes[NX_MAXARGS]; double d; int64_t i; void *p; } args;
  int nout = read_nout(nx_json_get(j, "out"));
  const nx_op *op = read_op(r, nx_json_get(j, "op"));
  nx_call *c;
  if (op == NULL) return nx_status(r->C);
  if (in == NULL || in->type != NX_JSON_ARRAY || in->length > MAX_INPUTS)
    return bad(r->C, "has a call without inputs, or with too many");
  if (nout < 0)
    return bad(r->C, "has a call with a strange number of results");
  if (read_args(r->C, op, nx_json_get(j, "args"), args.bytes) ||
      nx_graph_check(r->C, op, args.bytes) ||
      make_room(r->C, numbers, *count, room, nout))
    return nx_status(r->C);
  c = nx_graph_call(r->g, op, args.bytes, (int)in->length, nout);
  if (c == NULL || read_call_inputs(r, in, *numbers, *count, c))
    return nx_status(r->C);
  c->inplace = inplace && inplace->type == NX_JSON_BOOL && inplace->i;
  if (c->inplace && (c->nin == 0 || c->in[0] < 0 ||
                     !(op->flags & NX_INPLACE)))
    return bad(r->C, "changes something in place that it cannot change");
  for (int k = 0; k < nout; k++) (*numbers)[(*count)++] = c->out + k;
  return 0;
}


static int read_outputs (const reading *r, const nx_json *list,
                         const int *numbers, int count) {
  int wires[NX_MAXSHOWN], n = 0;
  if (list == NULL || list->type != NX_JSON_ARRAY || list->length < 1 ||
      list->length > NX_MAXSHOWN)
    return bad(r->C, "has no outputs, or too many");
  for (const nx_json *j = list->child; j; j = j->next) {
    wires[n] = read_wire(r, j, numbers, count);
    if (wires[n++] < 0) return nx_status(r->C);
  }
  return nx_graph_outputs(r->g, n, wires);
}


static int read_all (reading *r, const nx_json *top) {
  int room = 2 * NX_MAXSHOWN, count;
  int *numbers = nx_alloc(r->C, (size_t)room * sizeof(int));
  const nx_json *calls = nx_json_get(top, "calls");
  if (numbers == NULL) return nx_status(r->C);
  if (read_inputs(r, nx_json_get(top, "inputs"), numbers) == 0 &&
      (calls == NULL || calls->type != NX_JSON_ARRAY))
    bad(r->C, "has no list of calls");
  count = r->g->ngiven;
  for (const nx_json *j = nx_status(r->C) ? NULL : calls->child; j;
       j = j->next)
    if (read_call(r, j, &numbers, &count, &room)) break;
  if (nx_status(r->C) == 0)
    read_outputs(r, nx_json_get(top, "outputs"), numbers, count);
  nx_free(r->C, numbers, (size_t)room * sizeof(int));
  return nx_status(r->C);
}

nx_graph *nx_graph_get (nx_ctx *C, const char *text, size_t size,
                        nx_weight_fn *weight, void *ud) {
  nx_json_file file;
  nx_json *top = nx_json_open(C, &file, "the graph", text, size);
  reading r;
  r.C = C;
  r.weight = weight;
  r.ud = ud;
  r.g = top ? nx_graph_new(C) : NULL;
  if (r.g && read_all(&r, top)) {
    nx_graph_free(r.g);
    r.g = NULL;
  }
  nx_json_close(&file);
  return r.g;
}
