/*
** Penalties on weights, l1 |x| + l2 x^2 for each element (the elastic net,
** Zou and Hastie 2005, without a factor 1/2), as optimisers use them: added
** to a gradient in one pass, or as a proximal step.
*/
#include "ops.h"

typedef struct elastic_args { double l1, l2; } elastic_args;

static const nx_field elastic_fields[] = {
  NX_NUMBER(elastic_args, l1, 0, "factor of |x|"),
  NX_NUMBER(elastic_args, l2, 0, "factor of x^2"),
  NX_END
};

static int elastic_shape (nx_ctx *C, nx_node *n) {
  const elastic_args *a = n->a;
  nx_tensor *g = n->in[0], *x = n->nin > 1 ? n->in[1] : g;
  char gt[NX_SHAPE_TEXT], xt[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (!(a->l1 >= 0) || !(a->l2 >= 0))
    return nx_op_fail(C, n, NEAP_EARG, "l1 is %g and l2 %g, expected 0 or "
                      "more", a->l1, a->l2);
  if (g->dtype != x->dtype || !nx_same_shape(g, x))
    return nx_op_fail(C, n, NEAP_ESHAPE, "x (%s %s) must be like g (%s %s)",
                      nx_dtype_name(x->dtype), nx_shape_of(x, xt),
                      nx_dtype_name(g->dtype), nx_shape_of(g, gt));
  nx_out_like(C, n, 0, g);
  return nx_status(C);
}


/* y = g + l1 sign(x) + 2 l2 x */
static int elastic_slope_forward (nx_ctx *C, nx_node *n) {
  const elastic_args *a = n->a;
  double c[2];
  c[0] = a->l1;
  c[1] = 2 * a->l2;
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->elastic_slope,
                     c);
}

const nx_op nx_op_elastic_slope = {
  .name = "elastic_slope",
  .doc = "A gradient g plus that of l1 |x| + l2 x^2.",
  .inputs = "g x", .outputs = "y", .fields = elastic_fields,
  .argsize = sizeof(elastic_args), .flags = NX_NOGRAD | NX_INPLACE,
  .shape = elastic_shape, .forward = elastic_slope_forward
};


/*
** The z that makes (z - x)^2 / 2 + l1 |z| + l2 z^2 least: x moved towards 0
** by l1 and not past it, over 1 + 2 l2 (Parikh and Boyd 2014, section 6.5).
*/
static int elastic_shrink_forward (nx_ctx *C, nx_node *n) {
  const elastic_args *a = n->a;
  double c[2];
  c[0] = a->l1;
  c[1] = 1 / (1 + 2 * a->l2);
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->elastic_shrink,
                     c);
}

const nx_op nx_op_elastic_shrink = {
  .name = "elastic_shrink",
  .doc = "The proximal map of l1 |x| + l2 x^2: exact zeros where |x| is at "
         "most l1.",
  .inputs = "x", .outputs = "y", .fields = elastic_fields,
  .argsize = sizeof(elastic_args), .flags = NX_NOGRAD | NX_INPLACE,
  .shape = elastic_shape, .forward = elastic_shrink_forward
};
