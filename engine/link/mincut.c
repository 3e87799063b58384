/* See mincut.h. Label 0 is the source side: an edge a -> b is cut when a stays with the source and b does not. */
#include "mincut.h"

#include "../../base/array.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE, SINK, FIRST };
#define FORBIDDEN (UINT64_MAX / 16)

struct edge {
  int to, next; // next edge of the same tail; -1 ends. Edge i and i ^ 1 are each other's reverse
  uint64_t room;
};

struct mincut {
  struct edge *edges;
  size_t edge_count, edge_capacity;
  int *heads, *level, *cursor, *queue;
  size_t node_count, node_capacity;
  size_t capacity_of[3]; // of level, cursor, queue
  uint64_t constant;     // cost paid whatever the labels
};

static enum farm_status node_add(struct mincut *cut, int *out_node) {
  TRY(array_reserve(&cut->heads, &cut->node_capacity, cut->node_count + 1));
  cut->heads[cut->node_count] = -1;
  *out_node = (int)cut->node_count++;
  return FARM_OK;
}

enum farm_status mincut_create(int variable_count, struct mincut **out_cut) {
  struct mincut *cut = calloc(1, sizeof *cut);
  FAIL_IF(!cut, FARM_NO_MEMORY, "out of memory for a cut");
  for (int i = 0; i < variable_count + FIRST; i++) {
    int node;
    enum farm_status status = node_add(cut, &node);
    if (status != FARM_OK) {
      mincut_destroy(&cut);
      return status;
    }
  }
  *out_cut = cut;
  return FARM_OK;
}

void mincut_destroy(struct mincut **cut) {
  if (!*cut) return;
  free((*cut)->edges);
  free((*cut)->heads);
  free((*cut)->level);
  free((*cut)->cursor);
  free((*cut)->queue);
  free(*cut);
  *cut = NULL;
}

enum farm_status mincut_variable_add(struct mincut *cut, int *out_variable) {
  int node;
  TRY(node_add(cut, &node));
  *out_variable = node - FIRST;
  return FARM_OK;
}

static enum farm_status edge_add(struct mincut *cut, int from, int to, uint64_t room) {
  if (room == 0) return FARM_OK;
  if (room > FORBIDDEN) room = FORBIDDEN;
  TRY(array_reserve(&cut->edges, &cut->edge_capacity, cut->edge_count + 2));
  cut->edges[cut->edge_count] = (struct edge){to, cut->heads[from], room};
  cut->heads[from] = (int)cut->edge_count++;
  cut->edges[cut->edge_count] = (struct edge){from, cut->heads[to], 0};
  cut->heads[to] = (int)cut->edge_count++;
  return FARM_OK;
}

enum farm_status mincut_unary(struct mincut *cut, int variable, uint64_t cost_0, uint64_t cost_1) {
  if (cost_0 > FORBIDDEN) cost_0 = FORBIDDEN;
  if (cost_1 > FORBIDDEN) cost_1 = FORBIDDEN;
  uint64_t both = cost_0 < cost_1 ? cost_0 : cost_1;
  cut->constant += both;
  TRY(edge_add(cut, SOURCE, variable + FIRST, cost_1 - both)); // cut when the variable leaves the source: label 1
  return edge_add(cut, variable + FIRST, SINK, cost_0 - both);
}

enum farm_status mincut_pair(struct mincut *cut, int a, int b, uint64_t cost) {
  return edge_add(cut, a + FIRST, b + FIRST, cost);
}

/* Distances from the source over edges with room; true when the sink is reached. */
static int levels_build(struct mincut *cut) {
  for (size_t i = 0; i < cut->node_count; i++) cut->level[i] = -1;
  size_t head = 0, tail = 0;
  cut->queue[tail++] = SOURCE;
  cut->level[SOURCE] = 0;
  while (head < tail) {
    int node = cut->queue[head++];
    for (int e = cut->heads[node]; e >= 0; e = cut->edges[e].next) {
      int to = cut->edges[e].to;
      if (!cut->edges[e].room || cut->level[to] >= 0) continue;
      cut->level[to] = cut->level[node] + 1;
      cut->queue[tail++] = to;
    }
  }
  return cut->level[SINK] >= 0;
}

/* One augmenting path along rising levels, found without recursion: `queue` holds the edges of the path so far. */
static uint64_t path_push(struct mincut *cut) {
  int depth = 0, node = SOURCE;
  while (node != SINK) {
    int e = cut->cursor[node];
    while (e >= 0 && !(cut->edges[e].room && cut->level[cut->edges[e].to] == cut->level[node] + 1)) e = cut->edges[e].next;
    cut->cursor[node] = e;
    if (e >= 0) {
      cut->queue[depth++] = e;
      node = cut->edges[e].to;
      continue;
    }
    if (depth == 0) return 0;
    e = cut->queue[--depth]; // dead end: step back and go past this edge
    node = cut->edges[e ^ 1].to;
    cut->cursor[node] = cut->edges[e].next;
  }
  uint64_t flow = UINT64_MAX;
  for (int i = 0; i < depth; i++)
    if (cut->edges[cut->queue[i]].room < flow) flow = cut->edges[cut->queue[i]].room;
  for (int i = 0; i < depth; i++) {
    cut->edges[cut->queue[i]].room -= flow;
    cut->edges[cut->queue[i] ^ 1].room += flow;
  }
  return flow;
}

enum farm_status mincut_solve(struct mincut *cut, uint8_t *out_labels, uint64_t *out_cost) {
  TRY(array_reserve(&cut->level, &cut->capacity_of[0], cut->node_count));
  TRY(array_reserve(&cut->cursor, &cut->capacity_of[1], cut->node_count));
  TRY(array_reserve(&cut->queue, &cut->capacity_of[2], cut->node_count + 1));
  uint64_t total = cut->constant;
  while (levels_build(cut)) {
    memcpy(cut->cursor, cut->heads, cut->node_count * sizeof *cut->cursor);
    for (uint64_t flow; (flow = path_push(cut)) != 0;) total += flow;
  }
  FAIL_IF(total >= FORBIDDEN, FARM_FAILURE, "no labelling is allowed: every choice is forbidden somewhere");
  for (size_t i = FIRST; i < cut->node_count; i++) out_labels[i - FIRST] = cut->level[i] < 0;
  *out_cost = total;
  return FARM_OK;
}
