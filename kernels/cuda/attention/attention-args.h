/* Arguments of the attention kernel. For host and kernel. Element (batch, head, position, i) of an operand stands at
 * batch * …_batch + head * …_head + position * …_step + i * …_depth (1 but for turned keys). */
#ifndef KERNELS_CUDA_ATTENTION_ATTENTION_ARGS_H
#define KERNELS_CUDA_ATTENTION_ATTENTION_ARGS_H

struct attention_args {
  FARM_POINTER(const void) q;
  FARM_POINTER(const void) k;
  FARM_POINTER(const void) v;
  FARM_POINTER(const void) mask; // unread without one
  FARM_POINTER(void) out;
  long long q_batch, q_head, q_step, k_batch, k_head, k_step, k_depth, v_batch, v_head, v_step, out_batch, out_head, out_step;
  long long mask_batch, mask_head, mask_step; // 0 where all share it
  int heads, group, seq, kv, blocks;          // group: query heads per head of keys; blocks: of queries per head
  float scale;
};

#endif
