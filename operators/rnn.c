/* RNN, GRU and LSTM: one cell stepped along the sequence, per direction and batch element.
 *
 *   x [len][batch][in]   w [directions][gates * hidden][in]   r [directions][gates * hidden][hidden]
 *   bias [directions][2 * gates * hidden]   state [directions][batch][hidden]   y [len][directions][batch][hidden]
 *
 * With layout=1 the batch comes first in x, state and y. Gates are ordered i o f c (LSTM), z r h (GRU). Steps beyond an element's
 * sequence length give zeros and leave its state alone; the reverse direction begins at the element's own end.
 */
#include "activation.h"
#include "nn-util.h"
#include "tables.h"

#include <string.h>

enum { X, W, R, BIAS, LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLES };
enum { MOST_ACTIVATIONS = 3 };

struct cell {
  const struct cell_kind *kind;
  int64_t in, hidden;
  const double *w, *r, *bias, *peepholes; // of this direction; bias and peepholes may be NULL
  struct activation activations[MOST_ACTIVATIONS];
  double clip;               // 0: none
  bool option;               // GRU: linear_before_reset; LSTM: input_forget
  double *gates, *recurrent; // [gates * hidden] scratch
};

typedef void (*cell_step_fn)(const struct cell *cell, const double *x, double *h, double *c);

struct cell_kind {
  const char *name;
  int gates, activation_count;
  const char *activations[MOST_ACTIVATIONS];
  cell_step_fn step;
  const char *option;
};

static double activate(const struct cell *cell, int which, double x) {
  const struct activation *a = &cell->activations[which];
  if (cell->clip > 0) x = x < -cell->clip ? -cell->clip : x > cell->clip ? cell->clip : x;
  return a->apply(x, a->alpha, a->beta);
}

static double dot(const double *a, const double *b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

/* gates = W x + its bias; recurrent = R h + its bias */
static void cell_project(const struct cell *cell, const double *x, const double *h) {
  int64_t rows = cell->kind->gates * cell->hidden;
  for (int64_t i = 0; i < rows; i++) {
    cell->gates[i] = dot(cell->w + i * cell->in, x, cell->in) + (cell->bias ? cell->bias[i] : 0);
    cell->recurrent[i] = dot(cell->r + i * cell->hidden, h, cell->hidden) + (cell->bias ? cell->bias[rows + i] : 0);
  }
}

static void rnn_step(const struct cell *cell, const double *x, double *h, double *c) {
  (void)c;
  cell_project(cell, x, h);
  for (int64_t i = 0; i < cell->hidden; i++) h[i] = activate(cell, 0, cell->gates[i] + cell->recurrent[i]);
}

static void gru_step(const struct cell *cell, const double *x, double *h, double *c) {
  int64_t n = cell->hidden;
  double *z = cell->gates, *r = z + n, *candidate = r + n, *recurrent = cell->recurrent;
  (void)c;
  cell_project(cell, x, h);
  for (int64_t i = 0; i < 2 * n; i++) z[i] = activate(cell, 0, z[i] + recurrent[i]);
  if (!cell->option) { // the reset gate acts before the recurrence
    for (int64_t i = 0; i < n; i++) recurrent[i] = r[i] * h[i];
    for (int64_t i = 0; i < n; i++)
      candidate[i] += dot(cell->r + (2 * n + i) * n, recurrent, n) + (cell->bias ? cell->bias[5 * n + i] : 0);
  } else {
    for (int64_t i = 0; i < n; i++) candidate[i] += r[i] * recurrent[2 * n + i];
  }
  for (int64_t i = 0; i < n; i++) h[i] = (1 - z[i]) * activate(cell, 1, candidate[i]) + z[i] * h[i];
}

static double peephole(const struct cell *cell, int gate, int64_t i, const double *c) {
  return cell->peepholes ? cell->peepholes[gate * cell->hidden + i] * c[i] : 0;
}

static void lstm_step(const struct cell *cell, const double *x, double *h, double *c) {
  int64_t n = cell->hidden;
  double *gates = cell->gates;
  cell_project(cell, x, h);
  for (int64_t i = 0; i < 4 * n; i++) gates[i] += cell->recurrent[i];
  for (int64_t i = 0; i < n; i++) {
    double input = activate(cell, 0, gates[i] + peephole(cell, 0, i, c));
    double forget = cell->option ? 1 - input : activate(cell, 0, gates[2 * n + i] + peephole(cell, 2, i, c));
    c[i] = forget * c[i] + input * activate(cell, 1, gates[3 * n + i]);
    double output = activate(cell, 0, gates[n + i] + peephole(cell, 1, i, c));
    const struct activation *last = &cell->activations[2];
    h[i] = output * last->apply(c[i], last->alpha, last->beta);
  }
}

static const struct cell_kind kinds[] = {
    {"RNN", 1, 1, {"Tanh"}, rnn_step, ""},
    {"GRU", 3, 2, {"Sigmoid", "Tanh"}, gru_step, "linear_before_reset"},
    {"LSTM", 4, 3, {"Sigmoid", "Tanh", "Tanh"}, lstm_step, "input_forget"},
};

static const struct cell_kind *kind_of(const struct operator_row *row) {
  return &kinds[row->name[0] == 'R' ? 0 : row->name[0] == 'G' ? 1 : 2];
}

/* ---- attributes ---- */
struct plan {
  const struct cell_kind *kind;
  int directions;
  bool reverse, batch_first;
  struct activation activations[2 * MOST_ACTIVATIONS];
};

/* activation_alpha and _beta hold values only for the functions that take them, in order. */
static enum farm_status plan_activations(const struct attrs *attrs, struct plan *plan) {
  float alpha[2 * MOST_ACTIVATIONS], beta[2 * MOST_ACTIVATIONS];
  int need = plan->directions * plan->kind->activation_count, alpha_at = 0, beta_at = 0;
  int alphas = attr_floats(attrs, "activation_alpha", alpha, 2 * MOST_ACTIVATIONS);
  int betas = attr_floats(attrs, "activation_beta", beta, 2 * MOST_ACTIVATIONS);
  const struct attr *names = attr_find(attrs, "activations");
  bool given = names && names->type == ATTR_STRINGS && names->count > 0;
  FAIL_IF(given && names->count != need, FARM_INVALID, "%d activations, not %d", names ? names->count : 0, need);
  for (int i = 0; i < need; i++) {
    struct activation *a = &plan->activations[i];
    TRY(activation_find(given ? names->strings[i] : plan->kind->activations[i % plan->kind->activation_count], a));
    int takes = activation_parameters(a);
    if (takes > 0 && alpha_at < alphas) a->alpha = (double)alpha[alpha_at++];
    if (takes > 1 && beta_at < betas) a->beta = (double)beta[beta_at++];
  }
  return FARM_OK;
}

static enum farm_status plan_read(const struct operator_row *row, const struct attrs *attrs, struct plan *out) {
  const char *direction = attr_string(attrs, "direction", "forward");
  *out = (struct plan){.kind = kind_of(row), .directions = 1, .batch_first = attr_int(attrs, "layout", 0) == 1};
  if (strcmp(direction, "bidirectional") == 0)
    out->directions = 2;
  else if (strcmp(direction, "reverse") == 0)
    out->reverse = true;
  else
    FAIL_IF(strcmp(direction, "forward") != 0, FARM_INVALID, "direction is \"%s\"", direction);
  return plan_activations(attrs, out);
}

/* ---- shapes ---- */
static enum farm_status check_dims(const struct shape_call *call, int input, int rank, const int64_t *want) {
  TRY(nn_check_rank(call, input, rank, rank));
  for (int i = 0; i < rank; i++) TRY(nn_check_dim(call, input, i, want[i]));
  return FARM_OK;
}

static enum farm_status hidden_of(const struct shape_call *call, const struct plan *plan, int64_t *out) {
  int64_t rows = nn_dim(call, W, 1), hidden = attr_int(call->attrs, "hidden_size", DIM_UNKNOWN);
  TRY(nn_check_rank(call, W, 3, 3));
  TRY(nn_check_rank(call, R, 3, 3));
  FAIL_IF(hidden != DIM_UNKNOWN && (hidden < 1 || hidden > INT32_MAX), FARM_INVALID, "hidden_size is %lld", (long long)hidden);
  FAIL_IF(rows >= 0 && rows % plan->kind->gates, FARM_INVALID, "W has %lld rows for %d gates", (long long)rows,
          plan->kind->gates);
  TRY(nn_dim_merge(hidden, rows >= 0 ? rows / plan->kind->gates : DIM_UNKNOWN, &hidden));
  TRY(nn_dim_merge(hidden, nn_dim(call, R, 2), out));
  FAIL_IF(*out == 0, FARM_INVALID, "the hidden size is 0");
  return FARM_OK;
}

static enum farm_status rnn_check(const struct shape_call *call, const struct plan *plan, int64_t len, int64_t batch,
                                  int64_t hidden) {
  int64_t rows, d = plan->directions;
  (void)len;
  TRY(nn_dim_multiply(hidden, plan->kind->gates, &rows));
  int64_t in = nn_dim(call, X, 2), twice, three;
  TRY(nn_dim_multiply(rows, 2, &twice));
  TRY(nn_dim_multiply(hidden, 3, &three));
  TRY(check_dims(call, W, 3, (int64_t[]){d, rows, in}));
  TRY(check_dims(call, R, 3, (int64_t[]){d, rows, hidden}));
  TRY(check_dims(call, BIAS, 2, (int64_t[]){d, twice}));
  TRY(nn_check_vector(call, LENGTHS, batch));
  for (int i = INITIAL_H; i <= INITIAL_C; i++)
    TRY(check_dims(call, i, 3, plan->batch_first ? (int64_t[]){batch, d, hidden} : (int64_t[]){d, batch, hidden}));
  return check_dims(call, PEEPHOLES, 2, (int64_t[]){d, three});
}

static enum farm_status rnn_shape(struct shape_call *call) {
  struct plan plan;
  int64_t hidden = DIM_UNKNOWN;
  TRY(plan_read(call->row, call->attrs, &plan));
  for (int i = 0; i < 8; i++) TRY(nn_check_type(call, i, i == LENGTHS ? NN_TYPE(I32) : NN_FLOATS));
  for (int i = 1; i < 8; i++)
    if (i != LENGTHS) TRY(nn_check_same_type(call, X, i));
  TRY(nn_check_rank(call, X, 3, 3));
  TRY(hidden_of(call, &plan, &hidden));
  int64_t len = nn_dim(call, X, plan.batch_first), batch = nn_dim(call, X, !plan.batch_first), d = plan.directions;
  TRY(rnn_check(call, &plan, len, batch, hidden));
  nn_output(call, 0, nn_dtype(call, X), 4,
            plan.batch_first ? (int64_t[]){batch, len, d, hidden} : (int64_t[]){len, d, batch, hidden});
  for (int i = 1; i < 3; i++)
    nn_output(call, i, nn_dtype(call, X), 3, plan.batch_first ? (int64_t[]){batch, d, hidden} : (int64_t[]){d, batch, hidden});
  return FARM_OK;
}

/* ---- the reference ---- */
struct run {
  struct plan plan;
  int64_t len, batch, in, hidden;
  double *x, *y, *h, *c; // whole tensors; h and c are the states, in the layout of the outputs
};

static int64_t state_at(const struct run *run, int d, int64_t b) {
  return (run->plan.batch_first ? b * run->plan.directions + d : d * run->batch + b) * run->hidden;
}

static int64_t y_at(const struct run *run, int64_t t, int d, int64_t b) {
  int64_t steps = run->plan.batch_first ? b * run->len + t : t;
  return (run->plan.batch_first ? steps * run->plan.directions + d : (steps * run->plan.directions + d) * run->batch + b) *
         run->hidden;
}

static void run_element(const struct run *run, const struct cell *cell, int d, int64_t b, int64_t length) {
  double *h = run->h + state_at(run, d, b), *c = run->c + state_at(run, d, b);
  bool reverse = run->plan.reverse || d == 1;
  for (int64_t i = 0; i < length; i++) {
    int64_t t = reverse ? length - 1 - i : i;
    const double *x = run->x + (run->plan.batch_first ? b * run->len + t : t * run->batch + b) * run->in;
    cell->kind->step(cell, x, h, c);
    memcpy(run->y + y_at(run, t, d, b), h, (size_t)run->hidden * sizeof *h);
  }
}

static enum farm_status run_state(struct reference_call *call, struct arena *scratch, const struct run *run, int input,
                                  double **out) {
  if (nn_in(call, input)) return nn_load(scratch, call->inputs[input], out);
  return nn_alloc(scratch, run->plan.directions * run->batch * run->hidden, sizeof **out, out);
}

static enum farm_status run_directions(struct reference_call *call, struct arena *scratch, struct run *run) {
  const struct tensor *lengths = nn_in(call, LENGTHS);
  double *w = NULL, *r = NULL, *bias = NULL, *peepholes = NULL;
  int64_t rows = run->plan.kind->gates * run->hidden;
  struct cell cell = {run->plan.kind, run->in, run->hidden, .clip = (double)attr_float(call->attrs, "clip", 0),
                      .option = attr_int(call->attrs, run->plan.kind->option, 0) != 0};
  TRY(nn_load(scratch, call->inputs[W], &w));
  TRY(nn_load(scratch, call->inputs[R], &r));
  TRY(nn_load(scratch, nn_in(call, BIAS), &bias));
  TRY(nn_load(scratch, nn_in(call, PEEPHOLES), &peepholes));
  TRY(nn_alloc(scratch, rows, sizeof(double), &cell.gates));
  TRY(nn_alloc(scratch, rows, sizeof(double), &cell.recurrent));
  for (int d = 0; d < run->plan.directions; d++) {
    int each = run->plan.kind->activation_count;
    memcpy(cell.activations, run->plan.activations + d * each, (size_t)each * sizeof cell.activations[0]);
    cell.w = w + d * rows * run->in, cell.r = r + d * rows * run->hidden;
    cell.bias = bias ? bias + d * 2 * rows : NULL, cell.peepholes = peepholes ? peepholes + d * 3 * run->hidden : NULL;
    for (int64_t b = 0; b < run->batch; b++) {
      int64_t length = lengths ? dtype_load_i64(lengths->dtype, lengths->data, b) : run->len;
      FAIL_IF(length < 0 || length > run->len, FARM_INVALID, "a sequence of %lld in %lld steps", (long long)length,
              (long long)run->len);
      run_element(run, &cell, d, b, length);
    }
  }
  return FARM_OK;
}

static enum farm_status rnn_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[X];
  struct run run = {.in = x->dims[2], .hidden = call->inputs[R]->dims[2]};
  TRY(plan_read(call->row, call->attrs, &run.plan));
  run.len = x->dims[run.plan.batch_first], run.batch = x->dims[!run.plan.batch_first];
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(nn_load(scratch, x, &run.x));
  TRY(nn_alloc(scratch, run.len * run.plan.directions * run.batch * run.hidden, sizeof *run.y, &run.y));
  TRY(run_state(call, scratch, &run, INITIAL_H, &run.h));
  TRY(run_state(call, scratch, &run, INITIAL_C, &run.c));
  TRY(run_directions(call, scratch, &run));
  const double *results[] = {run.y, run.h, run.c};
  for (int i = 0; i < 3; i++)
    if (nn_out(call, i)) nn_store(call->outputs[i], results[i]);
  return FARM_OK;
}
NN_REFERENCE(rnn_reference)

#define ROWS(version)                                                                                                            \
  {"", "RNN", version, 3, 6, 0, 2, 0, 0, rnn_shape, rnn_reference},                                                              \
      {"", "GRU", version, 3, 6, 0, 2, 0, 0, rnn_shape, rnn_reference},                                                          \
      {"", "LSTM", version, 3, 8, 0, 3, 0, 0, rnn_shape, rnn_reference},
const struct operator_row operators_rnn[] = {ROWS(7) ROWS(14) ROWS(22)};
OPERATOR_ROWS(rnn);
