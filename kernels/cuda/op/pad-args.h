/* Arguments of the pad kernel: y dense [dims…], its element (i0, i1, …) is x[i0 - leads[0]][i1 - leads[1]]… where that is within x
 * [extents…] with these strides, the filler elsewhere; all in units of `unit` bytes. For host and kernel. */
#ifndef KERNELS_CUDA_OP_PAD_ARGS_H
#define KERNELS_CUDA_OP_PAD_ARGS_H

struct pad_args {
  FARM_POINTER(const u8) x;
  FARM_POINTER(const u8) value; // an element, `element` bytes; 0: filler has it
  FARM_POINTER(u8) y;
  long long units; // of y
  int unit, rank;  // rank: 1 and more
  int element, unused;
  unsigned long long filler; // 8 bytes of it
  long long dims[8], leads[8], extents[8], strides[8];
};

#endif
