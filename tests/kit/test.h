/* The test kit: tests stand beside the unit they test (`lease-table-test.c`), register themselves, and run each in a child.
 *
 *   TEST(lease_expires, "") { CHECK(lease_count(&table) == 0); }
 *   TEST(suite_passes, "slow needs:shared") { ... }
 *
 * Tags: "slow" (left to `make test-slow`), "needs:shared", "needs:gpu", "needs:avx512", "timeout:120" (seconds, default 60),
 * "parallel" (needs neither the clock nor a core for itself: such tests run side by side, before the others). A test that cannot run calls
 * SKIP("why"). A failed CHECK is reported and the test goes on; REQUIRE ends it.
 *
 *   BINARY [--slow] [--list] [--tagged TAG] [NAME…]     the quick tests; the slow ones; what would run; those with the tag, slow or not
 *
 * A NAME that is a test's whole name means that test alone; any other means all tests, slow ones too, whose names have it in them.
 */
#ifndef TESTS_KIT_TEST_H
#define TESTS_KIT_TEST_H

#include <stdbool.h>
#include <stddef.h>

struct test {
  const char *name, *tags, *file;
  void (*run)(void);
  struct test *next;
};

void test_register(struct test *test);
void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void test_stop(void);
_Noreturn void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Memory that the test does not free itself: freed when it ends. Returns the pointer. */
void *test_keep(void *memory);
/* Folder for this test's files; made on first use, removed after the run unless TUNEFARM_KEEP is set. */
const char *test_folder(void);
/* Path of a file in the data folder beside the checkout (TUNEFARM_SHARED, default ../shared); skips the test when absent. */
const char *test_shared(const char *relative);
/* The same for what the archives of that folder hold, unpacked once under build/data: test_data("models/mnist/model.onnx"). */
const char *test_data(const char *relative);

#define TEST(test_name, test_tags)                                                                           \
  static void test_name##_run(void);                                                                         \
  static struct test test_name##_test = {#test_name, test_tags, __FILE__, test_name##_run, NULL};            \
  __attribute__((constructor)) static void test_name##_register(void) { test_register(&test_name##_test); }  \
  static void test_name##_run(void)

#define CHECK(condition) ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #condition))
#define CHECK_MESSAGE(condition, ...) ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, __VA_ARGS__))
#define REQUIRE(condition)                                                                                   \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      test_fail(__FILE__, __LINE__, "%s", #condition);                                                       \
      test_stop();                                                                                           \
    }                                                                                                        \
  } while (0)
/* A status must be OK; its message is shown otherwise (base/status.h must be included). */
#define REQUIRE_OK(expression)                                                                               \
  do {                                                                                                       \
    enum farm_status test_status_ = (expression);                                                            \
    if (test_status_ != FARM_OK) {                                                                           \
      test_fail(__FILE__, __LINE__, "%s: %s: %s", #expression, status_name(test_status_), status_message()); \
      test_stop();                                                                                           \
    }                                                                                                        \
  } while (0)
#define CHECK_TEXT(actual, expected) test_check_text(__FILE__, __LINE__, actual, expected)
#define SKIP(...) test_skip(__VA_ARGS__)

void test_check_text(const char *file, int line, const char *actual, const char *expected);

#endif
