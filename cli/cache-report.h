/* What `tunefarm cache` shares with `tunefarm inspect`. */
#ifndef CLI_CACHE_REPORT_H
#define CLI_CACHE_REPORT_H

#include "command.h"

/* Counters and sizes of a cache folder, asked of its coordinator. FARM_INVALID: the folder is no cache. */
enum farm_status cache_folder_report(const char *folder, const struct option_optional *json);

#endif
