/* Arguments of the parts kernel: whole [outer][row], part p [outer][units of p], which lies in a row from `first` on; all in units
 * of `unit` bytes. For host and kernel. */
#ifndef KERNELS_CUDA_OP_PARTS_ARGS_H
#define KERNELS_CUDA_OP_PARTS_ARGS_H

struct parts_part {
  FARM_POINTER(u8) data;
  long long first, units;
};

struct parts_args {
  FARM_POINTER(u8) whole;
  long long outer, row;
  int unit;
  int joins; // parts into the whole; else the whole into parts
  struct parts_part parts[16];
};

#endif
