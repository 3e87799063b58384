/* Matrix fragments of a warp, with the layouts of the PTX manual (mma.m16n8k16, mma.m16n8k8.tf32, ldmatrix.m8n8.x4).
 *
 * With group = lane / 4 and pair = lane % 4:
 *
 *   a, 16 bit   a[0] rows group,     columns 2 pair, 2 pair + 1     a[1] rows group + 8      a[2], a[3] the same, columns + 8
 *   b, 16 bit   b[0] rows 2 pair, 2 pair + 1, column group          b[1] rows + 8
 *   a, tf32     a[0] (group, pair)  a[1] (group + 8, pair)          a[2], a[3] the same, columns + 4
 *   b, tf32     b[0] (pair, group)  b[1] (pair + 4, group)
 *   d           d[0], d[1] row group, columns 2 pair, 2 pair + 1    d[2], d[3] row group + 8
 *
 * Products are exact; they and d are summed in double precision in the order of k, and rounded to float once. Hardware cuts bits
 * off on the way: results on a GPU may be worse, by the tolerance that kernels are tested with.
 */
#include "simt-state.h"

#include <string.h>

void simt_ldmatrix(struct simt_exchange *const lanes[SIMT_WARP], bool transposed) {
  uint16_t rows[SIMT_WARP][8];
  for (int lane = 0; lane < SIMT_WARP; lane++) memcpy(rows[lane], lanes[lane]->words, sizeof rows[lane]);
  for (int lane = 0; lane < SIMT_WARP; lane++)
    for (int matrix = 0; matrix < 4; matrix++) {
      int row = lane / 4, column = lane % 4 * 2;
      const uint16_t(*m)[8] = &rows[matrix * 8];
      unsigned low = transposed ? m[column][row] : m[row][column], high = transposed ? m[column + 1][row] : m[row][column + 1];
      lanes[lane]->words[matrix] = low | high << 16;
    }
}

static double from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double half_value(unsigned bits) {
  unsigned exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
  double size = exponent == 0    ? fraction * 0x1p-24
                : exponent == 31 ? from_bits(0x7f800000u | fraction << 13)
                                 : from_bits((exponent + 112) << 23 | fraction << 13);
  return bits & 0x8000 ? -size : size;
}

static double element(unsigned word, int half, int kind) {
  unsigned bits = half ? word >> 16 : word & 0xffff;
  return kind == SIMT_MMA_F16 ? half_value(bits) : from_bits(bits << 16);
}

static void gather16(struct simt_exchange *const lanes[SIMT_WARP], int kind, double a[16][16], double b[16][8]) {
  for (int lane = 0; lane < SIMT_WARP; lane++) {
    int group = lane / 4, pair = lane % 4;
    for (int w = 0; w < 4; w++)
      for (int half = 0; half < 2; half++)
        a[group + w % 2 * 8][pair * 2 + half + w / 2 * 8] = element(lanes[lane]->a[w], half, kind);
    for (int w = 0; w < 2; w++)
      for (int half = 0; half < 2; half++) b[pair * 2 + half + w * 8][group] = element(lanes[lane]->b[w], half, kind);
  }
}

static void gather_tf32(struct simt_exchange *const lanes[SIMT_WARP], double a[16][16], double b[16][8]) {
  for (int lane = 0; lane < SIMT_WARP; lane++) {
    int group = lane / 4, pair = lane % 4;
    for (int w = 0; w < 4; w++) a[group + w % 2 * 8][pair + w / 2 * 4] = from_bits(lanes[lane]->a[w] & 0xffffe000u);
    for (int w = 0; w < 2; w++) b[pair + w * 4][group] = from_bits(lanes[lane]->b[w] & 0xffffe000u);
  }
}

void simt_mma(struct simt_exchange *const lanes[SIMT_WARP], int kind) {
  double a[16][16], b[16][8], sums[16][8];
  int depth = kind == SIMT_MMA_TF32 ? 8 : 16;
  if (kind == SIMT_MMA_TF32)
    gather_tf32(lanes, a, b);
  else
    gather16(lanes, kind, a, b);
  memset(sums, 0, sizeof sums);
  for (int row = 0; row < 16; row++)
    for (int k = 0; k < depth; k++)
      for (int column = 0; column < 8; column++) sums[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < SIMT_WARP; lane++)
    for (int i = 0; i < 4; i++) lanes[lane]->d[i] = (float)(lanes[lane]->d[i] + sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
}
