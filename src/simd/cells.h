/*
** Cells of recurrent layers, for some rows of a batch and H units, in the
** vocabulary of vocabulary.h. p and step as NX_CELL_... have them: a row of
** p[i] is step[i] elements after the one before.
**
** A row of the gates is blocks of H numbers. Forward they hold what the
** gates are functions of, and receive their values, for the gradient; back,
** DG receives the gradients of the former. DH is the gradient of the new h
** without that which comes from the outside (GY, may be NULL); it receives
** what goes to the old h directly. DC likewise.
*/

/* the body for vectors of H units, the last one masked */
#define CELL(name, body) \
static void FN(name) (size_t rows, size_t n, void *const *p, \
                      const ptrdiff_t *step) { \
  for (size_t r = 0; r < rows; r++) { \
    T *at[NX_CELL_PARTS]; \
    size_t i = 0; \
    for (int k = 0; k < NX_CELL_PARTS; k++) \
      at[k] = p[k] ? (T *)p[k] + (ptrdiff_t)r * step[k] : NULL; \
    for (; i + W <= n; i += W) body(vload, vstore) \
    if (PARTIAL(i)) body(LOAD, STORE) \
  } \
}
#define LOAD(q) vload_n(q, n - i)
#define STORE(q, v) vstore_n(q, v, n - i)

#define G(k) (at[NX_CELL_G] + (k) * n + i)
#define DG(k) (at[NX_CELL_DG] + (k) * n + i)
#define AT(part) (at[NX_CELL_##part] + i)
#define ONE vset(1)
/* y (1 - y) and 1 - y^2: slopes of sigmoid and tanh, from their values */
#define SIGMOID_SLOPE(y) vmul(y, vsub(ONE, y))
#define TANH_SLOPE(y) vfnma(y, y, ONE)
#define INCOMING(load) \
  vadd(load(AT(DH)), at[NX_CELL_GY] ? load(AT(GY)) : vset(0))


/* h = tanh(a), or relu(a) */
#define RNN_TANH(load, store) store(AT(H), FN(vtanh)(load(G(0))));
#define RNN_RELU(load, store) { \
  V a = load(G(0)); \
  store(AT(H), vsel(vlt(a, vset(0)), vset(0), a)); }
#define RNN_TANH_BACK(load, store) { \
  V h = load(AT(H)); \
  store(DG(0), vmul(INCOMING(load), TANH_SLOPE(h))); \
  store(AT(DH), vset(0)); }
#define RNN_RELU_BACK(load, store) { \
  V d = INCOMING(load), none = vset(0); \
  store(DG(0), vsel(vlt(none, load(AT(H))), d, none)); \
  store(AT(DH), none); }
CELL(rnn_tanh, RNN_TANH)
CELL(rnn_relu, RNN_RELU)
CELL(rnn_tanh_back, RNN_TANH_BACK)
CELL(rnn_relu_back, RNN_RELU_BACK)


/* i, f, o = sigmoid, g = tanh; c' = f c + i g, h' = o tanh(c') */
#define LSTM(load, store) { \
  V in = FN(vsigmoid)(load(G(0))), keep = FN(vsigmoid)(load(G(1))); \
  V g = FN(vtanh)(load(G(2))), out = FN(vsigmoid)(load(G(3))); \
  V c = vfma(keep, load(AT(C0)), vmul(in, g)); \
  store(G(0), in); store(G(1), keep); store(G(2), g); store(G(3), out); \
  store(AT(C), c); \
  store(AT(H), vmul(out, FN(vtanh)(c))); }

/* dc += dh o (1 - tanh(c')^2); of i: dc g, f: dc c, g: dc i, o: dh tanh(c');
   what is left of dc goes on as dc f */
#define LSTM_BACK(load, store) { \
  V in = load(G(0)), keep = load(G(1)), g = load(G(2)), out = load(G(3)); \
  V th = FN(vtanh)(load(AT(C))), dh = INCOMING(load); \
  V dc = vfma(vmul(dh, out), TANH_SLOPE(th), load(AT(DC))); \
  store(DG(0), vmul(vmul(dc, g), SIGMOID_SLOPE(in))); \
  store(DG(1), vmul(vmul(dc, load(AT(C0))), SIGMOID_SLOPE(keep))); \
  store(DG(2), vmul(vmul(dc, in), TANH_SLOPE(g))); \
  store(DG(3), vmul(vmul(dh, th), SIGMOID_SLOPE(out))); \
  store(AT(DC), vmul(dc, keep)); \
  store(AT(DH), vset(0)); \
  if (at[NX_CELL_H]) store(AT(H), vmul(out, th)); }
CELL(lstm, LSTM)
CELL(lstm_back, LSTM_BACK)


/* r, z = sigmoid; n = tanh(a + r m) where m is the part of h;
   h' = (1 - z) n + z h */
#define GRU(load, store) { \
  V r = FN(vsigmoid)(load(G(0))), z = FN(vsigmoid)(load(G(1))); \
  V new = FN(vtanh)(vfma(r, load(G(3)), load(G(2)))); \
  store(G(0), r); store(G(1), z); store(G(2), new); \
  store(AT(H), vfma(z, vsub(load(AT(H0)), new), new)); }

/* of n: dh (1 - z), of z: dh (h - n), of r: dn m, of m: dn r; h: dh z */
#define GRU_BACK(load, store) { \
  V r = load(G(0)), z = load(G(1)), new = load(G(2)), dh = INCOMING(load); \
  V dn = vmul(vmul(dh, vsub(ONE, z)), TANH_SLOPE(new)); \
  V dz = vmul(dh, vsub(load(AT(H0)), new)); \
  store(DG(0), vmul(vmul(dn, load(G(3))), SIGMOID_SLOPE(r))); \
  store(DG(1), vmul(dz, SIGMOID_SLOPE(z))); \
  store(DG(2), dn); \
  store(DG(3), vmul(dn, r)); \
  store(AT(DH), vmul(dh, z)); }
CELL(gru, GRU)
CELL(gru_back, GRU_BACK)

#undef CELL
#undef LOAD
#undef STORE
#undef G
#undef DG
#undef AT
#undef ONE
#undef SIGMOID_SLOPE
#undef TANH_SLOPE
#undef INCOMING
#undef RNN_TANH
#undef RNN_RELU
#undef RNN_TANH_BACK
#undef RNN_RELU_BACK
#undef LSTM
#undef LSTM_BACK
#undef GRU
#undef GRU_BACK
