/* Epilogues of products on a GPU: the steps of a problem as text, their operands and numbers as arguments. */
#ifndef KERNELS_CUDA_GEMM_EPILOGUE_H
#define KERNELS_CUDA_GEMM_EPILOGUE_H

#include "../cuda-launch.h"
#include "epilogue-args.h"

/* epilogue.cu, and behind it `end_value(x, end, index, channel)`. Operands of the steps are the problem's inputs from 2 on. */
enum farm_status epilogue_source(const struct problem *problem, struct strbuf *out);
void epilogue_args_fill(const struct cuda_call *call, struct epilogue_args *out);
/* Instructions per result: what a cost estimate needs. */
double epilogue_operations(const struct epilogue *epilogue);

#endif
