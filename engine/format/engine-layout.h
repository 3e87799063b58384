/* The numbers of docs/formats/engine.md that writer and reader share. Internal to engine/format. */
#ifndef ENGINE_FORMAT_ENGINE_LAYOUT_H
#define ENGINE_FORMAT_ENGINE_LAYOUT_H

enum {
  ENGINE_HEADER_BYTES = 64,
  ENGINE_ENTRY_BYTES = 64,
  ENGINE_MOST_ENTRIES = 64,
  ENGINE_DIGEST_AT = 32,
  ENGINE_BYTE_ORDER = 0x01020304,
  ENGINE_PAGE = 4096,
  ENGINE_WEIGHT_ALIGN = 64,
  ENGINE_MOST_DEPTH = 16,
};

enum engine_area { ENGINE_METADATA = 1, ENGINE_WEIGHTS = 2 };
enum { ENGINE_REQUIRED = 1 };

#define ENGINE_MAGIC "\x89TFE\r\n\x1a\n"

#endif
