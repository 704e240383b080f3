/*
** einsum: sums of products, written with a letter for each dimension:
** "ij,jk->ik" is a matrix product. Letters that are missing on the right
** are summed over; without a right side, the result has the letters that
** occur once, in the order of the alphabet; "..." stands for dimensions
** without letters, which broadcast.
**
** Operands are contracted in pairs, each time the pair whose product is
** smallest in relation to its operands; a pair becomes one batch of matrix
** products.
*/
#include <string.h>
#include "op/composed.h"
#include "tensor/view.h"

#define LETTERS 52
#define LABELS (LETTERS + NEAP_MAXDIM)   /* letters, then "..." from behind */
#define MAXOPERANDS 16

typedef struct einsum_args { char equation[NX_MAXTEXT]; } einsum_args;

static const nx_field einsum_fields[] = {
  NX_TEXT(einsum_args, equation, NX_REQUIRED, "such as \"ij,jk->ik\""),
  NX_END
};

/* A tensor with a label for each of its dimensions. */
typedef struct operand {
  nx_tensor *t;
  int n;
  unsigned char label[NEAP_MAXDIM];
} operand;

typedef struct sum {
  nx_ctx *C;
  nx_node *n;
  operand ops[MAXOPERANDS];
  int count;
  operand out;                 /* its tensor is not used */
  int64_t size[LABELS];        /* of each label; 0: not seen */
  int seen[LABELS];            /* how often it occurs */
  int dots;                    /* most dimensions that "..." stands for */
} sum;


static int letter (int c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  return -1;
}


/* labels of one term "ib...j"; 'hidden' dimensions for "..." */
static int read_term (sum *s, const char *p, size_t len, int hidden,
                      operand *o) {
  int dots = 0;
  o->n = 0;
  for (size_t i = 0; i < len; i++) {
    int l = letter(p[i]);
    if (p[i] == ' ') continue;
    if (len - i >= 3 && memcmp(p + i, "...", 3) == 0 && !dots++) {
      for (int k = 0; k < hidden; k++) {
        if (o->n == NEAP_MAXDIM) break;
        o->label[o->n++] = (unsigned char)(LETTERS + hidden - 1 - k);
      }
      i += 2;
      continue;
    }
    if (l < 0)
      return nx_op_fail(s->C, s->n, NEAP_EARG, "'%c' in \"%s\" is no letter",
                        p[i], ((einsum_args *)s->n->a)->equation);
    if (o->n == NEAP_MAXDIM)
      return nx_op_fail(s->C, s->n, NEAP_EARG, "more than %d dimensions",
                        NEAP_MAXDIM);
    o->label[o->n++] = (unsigned char)l;
  }
  return 0;
}

static int count_letters (const char *p, size_t len) {
  int n = 0;
  for (size_t i = 0; i < len; i++) n += letter(p[i]) >= 0;
  return n;
}

static int has_dots (const char *p, size_t len) {
  for (size_t i = 0; i + 2 < len; i++)
    if (memcmp(p + i, "...", 3) == 0) return 1;
  return 0;
}


/* sizes of labels; those of "..." may be 1 beside others */
static int note_sizes (sum *s, const operand *o, int which) {
  for (int i = 0; i < o->n; i++) {
    int l = o->label[i];
    int64_t size = o->t->shape[i], *known = &s->size[l];
    if (!s->seen[l]++ || *known == 1) *known = size;
    else if (size != *known && size != 1)
      return nx_op_fail(s->C, s->n, NEAP_ESHAPE, "dimension %d of tensor %d "
                        "has size %lld, but its letter stands for %lld",
                        i + s->C->base, which + s->C->base, (long long)size,
                        (long long)*known);
  }
  return 0;
}


static int read_operand (sum *s, const char *p, size_t len, int i) {
  operand *o = &s->ops[i];
  int letters = count_letters(p, len), hidden;
  char text[NX_SHAPE_TEXT];
  o->t = s->n->in[i];
  hidden = o->t->ndim - letters;
  if (hidden < 0 || (hidden > 0 && !has_dots(p, len)))
    return nx_op_fail(s->C, s->n, NEAP_ESHAPE, "\"%.*s\" does not fit tensor "
                      "%d, which is %s", (int)len, p, i + s->C->base,
                      nx_shape_of(o->t, text));
  if (hidden > s->dots) s->dots = hidden;
  if (read_term(s, p, len, hidden, o)) return nx_status(s->C);
  return note_sizes(s, o, i);
}


/* without a right side */
static void implied_output (sum *s) {
  s->out.n = 0;
  for (int k = s->dots - 1; k >= 0; k--)
    s->out.label[s->out.n++] = (unsigned char)(LETTERS + k);
  for (int l = 0; l < LETTERS && s->out.n < NEAP_MAXDIM; l++)
    if (s->seen[l] == 1) s->out.label[s->out.n++] = (unsigned char)l;
}

static int check_output (sum *s) {
  int often[LABELS] = {0};
  for (int i = 0; i < s->out.n; i++) {
    int l = s->out.label[i];
    if (!s->seen[l] || often[l]++)
      return nx_op_fail(s->C, s->n, NEAP_EARG, "the right side of \"%s\" has "
                        "a letter %s", ((einsum_args *)s->n->a)->equation,
                        s->seen[l] ? "twice" : "that is not on the left");
  }
  return 0;
}

static int read_equation (sum *s) {
  const char *p = ((einsum_args *)s->n->a)->equation;
  const char *arrow = strstr(p, "->");
  size_t left = arrow ? (size_t)(arrow - p) : strlen(p);
  for (s->count = 0; ; s->count++) {
    size_t len = strcspn(p, ",");
    if (len > left) len = left;
    if (s->count == s->n->nin || s->count == MAXOPERANDS) {
      s->count++;
      break;
    }
    if (read_operand(s, p, len, s->count)) return nx_status(s->C);
    p += len;
    left -= len;
    if (left == 0) {
      s->count++;
      break;
    }
    p++;
    left--;
  }
  if (s->count != s->n->nin)
    return nx_op_fail(s->C, s->n, NEAP_EARG, "\"%s\" is not for %d tensors",
                      ((einsum_args *)s->n->a)->equation, s->n->nin);
  if (arrow == NULL) implied_output(s);
  else if (read_term(s, arrow + 2, strlen(arrow + 2), s->dots, &s->out))
    return nx_status(s->C);
  return check_output(s);
}


static int find (const operand *o, int label) {
  for (int i = 0; i < o->n; i++) if (o->label[i] == label) return i;
  return -1;
}

static void drop (operand *o, int i) {
  for (int k = i; k + 1 < o->n; k++) o->label[k] = o->label[k + 1];
  o->n--;
}


/*
** A letter that an operand has twice means its diagonal; dimensions of
** size 1 where the letter stands for more are left out: they broadcast.
*/
static int simplify (sum *s, operand *o) {
  nx_ctx *C = s->C;
  for (int i = o->n - 1; i >= 0 && o->t; i--) {
    int first = find(o, o->label[i]);
    if (o->t->shape[i] == 1 && s->size[o->label[i]] != 1) {
      o->t = nx_select(C, o->t, i, 0);
      drop(o, i);
    }
    else if (first < i) {
      unsigned char l = o->label[i];
      o->t = nx_diagonal(C, o->t, 0, first, i);      /* comes last */
      drop(o, i);
      drop(o, first);
      o->label[o->n++] = l;
      i = o->n;
    }
  }
  return nx_status(C);
}


/* sums over labels that neither the result nor another operand has */
static int sum_lonely (sum *s, operand *o, const unsigned char *wanted) {
  nx_ints dims = {0, {0}};
  int kept = 0;
  for (int i = 0; i < o->n; i++)
    if (wanted[o->label[i]]) o->label[kept++] = o->label[i];
    else dims.v[dims.n++] = i;
  o->n = kept;
  if (dims.n > 0) o->t = nx_sum(s->C, o->t, dims, 0);
  return nx_status(s->C);
}

/* labels that the result or operands but a and b have */
static void wanted_beside (const sum *s, int a, int b,
                           unsigned char *wanted) {
  memset(wanted, 0, LABELS);
  for (int i = 0; i < s->out.n; i++) wanted[s->out.label[i]] = 1;
  for (int k = 0; k < s->count; k++)
    for (int i = 0; k != a && k != b && i < s->ops[k].n; i++)
      wanted[s->ops[k].label[i]] = 1;
}


/*
** The labels of a pair: in both and wanted (batch), in both and not wanted
** (summed), in one only.
*/
typedef struct parts {
  operand batch, summed, only_a, only_b;   /* only their labels */
} parts;

static void add_label (operand *o, int l) {
  o->label[o->n++] = (unsigned char)l;
}

static void split_labels (const operand *a, const operand *b,
                          const unsigned char *wanted, parts *p) {
  memset(p, 0, sizeof(*p));
  for (int i = 0; i < a->n; i++) {
    int l = a->label[i];
    if (find(b, l) < 0) add_label(&p->only_a, l);
    else add_label(wanted[l] ? &p->batch : &p->summed, l);
  }
  for (int i = 0; i < b->n; i++)
    if (find(a, b->label[i]) < 0) add_label(&p->only_b, b->label[i]);
}

static int64_t size_of (const sum *s, const operand *o) {
  int64_t n = 1;
  for (int i = 0; i < o->n; i++) n *= s->size[o->label[i]];
  return n;
}


/* o with its dimensions in three groups, each joined to one */
static nx_tensor *grouped (const sum *s, const operand *o, const operand *x,
                           const operand *y, const operand *z) {
  const operand *group[3] = {x, y, z};
  nx_ints order = {0, {0}};
  int64_t shape[3];
  for (int g = 0; g < 3; g++) {
    shape[g] = size_of(s, group[g]);
    for (int i = 0; i < group[g]->n; i++)
      order.v[order.n++] = find(o, group[g]->label[i]);
  }
  return nx_reshape(s->C, nx_permute(s->C, o->t, order), 3, shape);
}

static int contract (sum *s, int i, int j) {
  operand *a = &s->ops[i], *b = &s->ops[j];
  unsigned char wanted[LABELS], both[LABELS];
  int64_t shape[3 * NEAP_MAXDIM];
  nx_tensor *x, *z;
  operand r;
  parts p;
  wanted_beside(s, i, j, wanted);
  memcpy(both, wanted, LABELS);
  for (int k = 0; k < b->n; k++) both[b->label[k]] = 1;
  if (sum_lonely(s, a, both)) return nx_status(s->C);
  memcpy(both, wanted, LABELS);
  for (int k = 0; k < a->n; k++) both[a->label[k]] = 1;
  if (sum_lonely(s, b, both)) return nx_status(s->C);
  split_labels(a, b, wanted, &p);
  r.n = p.batch.n + p.only_a.n + p.only_b.n;
  if (r.n > NEAP_MAXDIM)
    return nx_op_fail(s->C, s->n, NEAP_ESHAPE, "a product on the way has "
                      "more than %d dimensions", NEAP_MAXDIM);
  x = grouped(s, a, &p.batch, &p.only_a, &p.summed);
  z = grouped(s, b, &p.batch, &p.summed, &p.only_b);
  memcpy(r.label, p.batch.label, (size_t)p.batch.n);
  memcpy(r.label + p.batch.n, p.only_a.label, (size_t)p.only_a.n);
  memcpy(r.label + p.batch.n + p.only_a.n, p.only_b.label,
         (size_t)p.only_b.n);
  for (int k = 0; k < r.n; k++) shape[k] = s->size[r.label[k]];
  r.t = nx_reshape(s->C, nx_matmul(s->C, x, z), r.n, shape);
  s->ops[i] = r;
  s->ops[j] = s->ops[--s->count];
  return nx_status(s->C);
}


/* what the product of a pair adds to the size of its operands */
static double cost (const sum *s, int i, int j) {
  const operand *a = &s->ops[i], *b = &s->ops[j];
  unsigned char wanted[LABELS];
  double size = 1;
  wanted_beside(s, i, j, wanted);
  for (int k = 0; k < a->n; k++)
    if (wanted[a->label[k]]) size *= (double)s->size[a->label[k]];
  for (int k = 0; k < b->n; k++)
    if (wanted[b->label[k]] && find(a, b->label[k]) < 0)
      size *= (double)s->size[b->label[k]];
  return size - (double)size_of(s, a) - (double)size_of(s, b);
}

static int contract_best (sum *s) {
  int bi = 0, bj = 1;
  double best = 0;
  for (int i = 0; i < s->count; i++)
    for (int j = i + 1; j < s->count; j++) {
      double c = cost(s, i, j);
      if ((i == 0 && j == 1) || c < best) {
        best = c;
        bi = i;
        bj = j;
      }
    }
  return contract(s, bi, bj);
}


/* the last operand's dimensions in the order of the result */
static nx_tensor *arranged (sum *s) {
  operand *o = &s->ops[0];
  unsigned char wanted[LABELS];
  nx_ints order = {s->out.n, {0}};
  wanted_beside(s, 0, 0, wanted);
  if (sum_lonely(s, o, wanted)) return NULL;
  for (int i = 0; i < s->out.n; i++) order.v[i] = find(o, s->out.label[i]);
  return nx_permute(s->C, o->t, order);
}

static int einsum_compose (nx_ctx *C, nx_node *n) {
  sum s;
  memset(&s, 0, sizeof(s));
  s.C = C;
  s.n = n;
  if (read_equation(&s)) return nx_status(C);
  for (int i = 0; i < s.count; i++)
    if (simplify(&s, &s.ops[i])) return nx_status(C);
  while (s.count > 1)
    if (contract_best(&s)) return nx_status(C);
  return nx_composed(C, n, arranged(&s));
}

const nx_op nx_op_einsum = {
  .name = "einsum",
  .doc = "Sums of products of tensors, with a letter for each dimension: "
         "\"ij,jk->ik\" is a matrix product.",
  .inputs = "xs*", .outputs = "y", .call = "equation xs",
  .fields = einsum_fields, .argsize = sizeof(einsum_args),
  .compose = einsum_compose
};
