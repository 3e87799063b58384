/* Minimum s-t cut: the exact minimiser of a sum of unary and submodular pairwise costs over two labels.
 *
 * Variables take label 0 or 1. The cut is found by Dinic's blocking flows (Dinitz 1970), O(V^2 E) in the
 * worst case, near linear on the sparse graphs of networks. Of equal minima the one with the fewest 0 labels is returned (label 0
 * is what the source still reaches), and costs are integers, so the answer is the same on every machine.
 */
#ifndef ENGINE_LINK_MINCUT_H
#define ENGINE_LINK_MINCUT_H

#include "../../base/status.h"

#include <stdint.h>

struct mincut;

enum farm_status mincut_create(int variable_count, struct mincut **out_cut);
void mincut_destroy(struct mincut **cut);
enum farm_status mincut_variable_add(struct mincut *cut, int *out_variable); // an auxiliary one
/* Cost in picoseconds or any other integer unit; UINT64_MAX / 16 and above count as forbidden. */
enum farm_status mincut_unary(struct mincut *cut, int variable, uint64_t cost_0, uint64_t cost_1);
/* `cost` is paid when a has label 0 and b has label 1. */
enum farm_status mincut_pair(struct mincut *cut, int a, int b, uint64_t cost);
/* Labels of all variables; *out_cost the minimum. */
enum farm_status mincut_solve(struct mincut *cut, uint8_t *out_labels, uint64_t *out_cost);

#endif
