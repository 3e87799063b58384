/* Flags > environment > config file > defaults; what is wrong is named. */
#include "options.h"

#include "file.h"

#include "../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parsed {
  bool flag;
  const char *text;
  int64_t number;
  struct option_list list, rest;
  struct option_optional json;
};

static enum farm_status parse(struct parsed *p, int argc, char **argv) {
  bool help;
  const struct option rows[] = {
      {"flag", OPTION_FLAG, &p->flag, 0, 0, NULL, "a flag", false},
      {"output", OPTION_TEXT, &p->text, 0, 0, "FILE", "a text", true},
      {"level", OPTION_INTEGER, &p->number, 0, 4, "N", "a number", true},
      {"item", OPTION_LIST, &p->list, 0, 0, "X", "a list", false},
      {"json", OPTION_OPTIONAL, &p->json, 0, 0, "FILE", "optional", false},
      {0},
  };
  const struct options options = {"try", "X", "Tries.", NULL, rows};
  return options_parse(&options, argc, argv, &p->rest, &help);
}

TEST(options_are_read_in_every_form, "") {
  struct parsed p = {.number = 2};
  char *argv[] = {"one", "--flag", "-o", "file", "--level=3", "--item", "a", "--item=b", "--json", "--", "--two"};
  REQUIRE_OK(parse(&p, 11, argv));
  CHECK(p.flag && p.number == 3 && p.list.count == 2 && p.rest.count == 2 && p.json.given && !p.json.value);
  CHECK_TEXT(p.text, "file");
  CHECK_TEXT(p.list.items[1], "b");
  CHECK_TEXT(p.rest.items[1], "--two");
  option_list_free(&p.list);
  option_list_free(&p.rest);
}

TEST(options_say_what_is_wrong, "") {
  struct parsed p = {.number = 2};
  CHECK(parse(&p, 1, (char *[]){"--levle=3"}) == FARM_USAGE);
  CHECK_TEXT(status_message(), "unknown option `--levle=3`; see `tunefarm try --help`");
  CHECK(parse(&p, 1, (char *[]){"--level=5"}) == FARM_USAGE);
  CHECK(parse(&p, 2, (char *[]){"--level", "x"}) == FARM_USAGE);
  CHECK(parse(&p, 1, (char *[]){"--output"}) == FARM_USAGE);
  CHECK(parse(&p, 1, (char *[]){"--flag=maybe"}) == FARM_USAGE);
  CHECK(p.number == 2);
}

TEST(options_come_from_flags_then_environment_then_config, "") {
  char path[512];
  const char *config = "# comment\nlevel = 1\n output = from config # why\nunknown = 5\n";
  struct parsed p = {.number = 0};
  snprintf(path, sizeof path, "%s/config", test_folder());
  REQUIRE_OK(file_write_atomic(path, config, strlen(config)));
  setenv("TUNEFARM_CONFIG", path, 1);
  REQUIRE_OK(parse(&p, 0, NULL));
  CHECK(p.number == 1);
  CHECK_TEXT(p.text, "from config");
  setenv("TUNEFARM_LEVEL", "2", 1);
  REQUIRE_OK(parse(&p, 0, NULL));
  CHECK(p.number == 2);
  REQUIRE_OK(parse(&p, 1, (char *[]){"--level=4"}));
  CHECK(p.number == 4);
  setenv("TUNEFARM_LEVEL", "9", 1);
  CHECK(parse(&p, 0, NULL) == FARM_USAGE);
  CHECK_TEXT(status_message(), "TUNEFARM_LEVEL: --level: 9 is not between 0 and 4");
}
