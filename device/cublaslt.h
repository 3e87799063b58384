/* Matrix products by cuBLASLt, opened at run time. A product is one struct by value; its algorithms are opaque 64 bytes that a
 * record can hold: they mean the same to the same version of the library on the same kind of device.
 *
 *   struct cublaslt_product ─cublaslt_algos─► list ─┐
 *                 └────────── cublaslt_prepare ◄────┘─► plan ─cublaslt_enqueue─► the device's stream (capturable, no allocation)
 *
 * Everything here is row-major, as tunefarm's tensors are: d[batch][m][n] = act(alpha a[batch][m][k] b[batch][k][n] + beta c +
 * bias[n]). The library is column-major; the exchange of the operands that this takes is done inside.
 *
 * A handle belongs to its device and so to one thread at a time. Errors that stick to the device do so through the library, too.
 */
#ifndef DEVICE_CUBLASLT_H
#define DEVICE_CUBLASLT_H

#include "cuda-device.h"

#include "../problem/dtype.h"

enum cublaslt_activation { CUBLASLT_LINEAR, CUBLASLT_RELU, CUBLASLT_GELU_TANH }; // the library's gelu is the tanh form

struct cublaslt_product {
  int64_t m, n, k, batch;               // batch 1: strides are not looked at
  bool transpose_a, transpose_b;        // a is stored [k][m], b is stored [n][k]
  enum dtype type;                      // of a, b, c, d: f32, f16 or bf16; sums are f32
  bool tf32;                            // f32 operands may be rounded to tf32
  int64_t lda, ldb, ldd;                // elements from row to row as stored; 0: packed. c has the rows of d
  int64_t stride_a, stride_b, stride_d; // elements from batch to batch; 0: the same matrix for all (not for d)
  enum cublaslt_activation activation;
  bool bias;                   // bias[n], of `type`, before the activation, the same for all batches
  float alpha, beta;           // beta 0: c is not read
  size_t workspace_most_bytes; // algorithms that want more are left out
};

enum { CUBLASLT_ALGO_BYTES = 64, CUBLASLT_WORKSPACE_ALIGNMENT = 256 };
struct cublaslt_algo {
  _Alignas(8) unsigned char bytes[CUBLASLT_ALGO_BYTES];
  size_t workspace_bytes;
};

/* 130100 is 13.1.0. FARM_UNSUPPORTED with what was tried. Needs no device. */
enum farm_status cublaslt_version(int *out_version);

struct cublaslt;
/* One handle per device; reading the library's kernels takes some 100 ms. */
enum farm_status cublaslt_open(struct cuda_device *device, struct cublaslt **out_handle);
void cublaslt_close(struct cublaslt **handle); // before the device

/* What the library's own ranking says, best first, at most `most`. For operands aligned to 16 bytes. FARM_TACTIC_REFUSED: none
 * fits. */
enum farm_status cublaslt_algos(struct cublaslt *handle, const struct cublaslt_product *product, struct cublaslt_algo *out,
                                int most, int *out_count);

struct cublaslt_plan;
/* FARM_TACTIC_REFUSED: the library does not take this algorithm for this product (another version of it, another device). */
enum farm_status cublaslt_prepare(struct cublaslt *handle, const struct cublaslt_product *product,
                                  const struct cublaslt_algo *algo, struct cublaslt_plan **out_plan);
void cublaslt_plan_free(struct cublaslt_plan **plan);

struct cublaslt_operands {
  cuda_address a, b, c, d, bias; // c is not read when beta is 0, and may be d; bias only when the product has one
  cuda_address workspace;        // the algorithm's workspace_bytes, at a multiple of CUBLASLT_WORKSPACE_ALIGNMENT
};
enum farm_status cublaslt_enqueue(struct cublaslt_plan *plan, const struct cublaslt_operands *operands);

#endif
