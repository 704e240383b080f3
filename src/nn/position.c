/*
** PositionalEncoding: waves of many lengths added to the vectors of a
** sequence (Vaswani and others 2017, section 3.5):
**   pe[m][2 i] = sin(m / 10000^(2 i / d)),  pe[m][2 i + 1] = cos(...)
*/
#include <math.h>
#include "nn/module.h"

typedef struct position_layer {
  nx_module m;
  int64_t d_model, max_len;
  double dropout;
  int batch_first;
  nx_tensor *pe;               /* owned by 'm' */
} position_layer;

static const nx_field position_fields[] = {
  NX_INT(position_layer, d_model, NX_REQUIRED, "features of a vector"),
  NX_INT(position_layer, max_len, 5000, "steps that there are waves for"),
  NX_NUMBER(position_layer, dropout, 0, "of the sum, in training"),
  NX_BOOL(position_layer, batch_first, 0,
          "vectors come as (batch, steps, features)"),
  NX_END
};

static double wave (int64_t m, int64_t k, int64_t d) {
  double angle = (double)m / pow(10000, (double)(k - k % 2) / (double)d);
  return k % 2 ? cos(angle) : sin(angle);
}

static int position_init (nx_ctx *C, nx_module *m) {
  position_layer *l = (position_layer *)m;
  int64_t shape[2];
  if (l->d_model < 1 || l->max_len < 1 || l->max_len > INT32_MAX ||
      l->d_model > INT32_MAX || !(l->dropout >= 0 && l->dropout <= 1))
    return nx_fail(C, NEAP_EARG, "%s: d_model %lld, max_len %lld, dropout "
                   "%g: expected at least 1, and 0 to 1", m->class_name,
                   (long long)l->d_model, (long long)l->max_len, l->dropout);
  shape[0] = l->max_len;
  shape[1] = l->d_model;
  if (nx_filled(C, m, "pe", &l->pe, 0, NEAP_F32, 2, shape, 0))
    return nx_status(C);
  for (int64_t i = 0; i < l->pe->len; i++)
    nx_put_number(l->pe, l->pe->data + i * (int64_t)sizeof(float),
                  wave(i / l->d_model, i % l->d_model, l->d_model));
  return nx_status(C);
}

static nx_tensor *position_forward (nx_ctx *C, nx_module *m,
                                    nx_tensor *const *in) {
  position_layer *l = (position_layer *)m;
  nx_tensor *x = in[0], *pe;
  int at = x->ndim == 3 && l->batch_first;       /* dimension of steps */
  char text[NX_SHAPE_TEXT];
  if ((x->ndim != 2 && x->ndim != 3) ||
      x->shape[x->ndim - 1] != l->d_model || x->shape[at] > l->max_len) {
    nx_fail(C, NEAP_ESHAPE, "x is %s, expected %s of %lld features, at most "
            "%lld steps", nx_shape_of(x, text), l->batch_first
            ? "(batch, steps, features)" : "(steps, batch, features)",
            (long long)l->d_model, (long long)l->max_len);
    return NULL;
  }
  pe = nx_narrow(C, l->pe, 0, 0, x->shape[at]);
  if (pe && x->ndim == 3 && at == 0) pe = nx_unsqueeze(C, pe, 1);
  x = pe ? nx_add(C, x, pe) : NULL;
  if (x == NULL || !m->training || l->dropout == 0) return x;
  return nx_dropout(C, x, l->dropout, NX_FRESH);
}

const nx_layer nx_layer_positional_encoding = {
  .name = "PositionalEncoding",
  .doc = "Adds waves of many lengths to vectors x (steps, batch, d_model), "
         "by which their positions can be told.",
  .inputs = "x", .fields = position_fields, .size = sizeof(position_layer),
  .init = position_init, .forward = position_forward
};
