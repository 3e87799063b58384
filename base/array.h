/* Growth of plain arrays: `TRY(array_reserve(&items, &capacity, count + 1)); items[count++] = x;` */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include "status.h"

#include <stddef.h>

/* Make room for `need` items of `item_bytes`; doubles. `*items` may be NULL with `*capacity` 0. */
enum farm_status array_reserve_bytes(void **items, size_t *capacity, size_t need, size_t item_bytes);
#define array_reserve(items, capacity, need) array_reserve_bytes((void **)(items), (capacity), (need), sizeof **(items))

#endif
