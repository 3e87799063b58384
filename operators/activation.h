/* Activation functions by ONNX's names, as RNN, GRU, LSTM, FusedConv and FusedGemm take them. */
#ifndef OPERATORS_ACTIVATION_H
#define OPERATORS_ACTIVATION_H

#include "../base/status.h"

struct activation {
  double (*apply)(double x, double alpha, double beta);
  double alpha, beta;
};

/* Names compare without case. alpha and beta get the function's defaults. FARM_INVALID for an unknown name. */
enum farm_status activation_find(const char *name, struct activation *out);
int activation_parameters(const struct activation *activation); // how many of alpha, beta it takes

double activation_sigmoid(double x);
double activation_gelu(double x); // exact: x * Phi(x)

#endif
