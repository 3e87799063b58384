/* What the sanitizers are told about the tests. */

/* What ThreadSanitizer cannot see. libzmq of the distribution is built without it, so its threads seem to hand over messages without any
 * order: calls that it makes itself are not looked at. LMDB's writer locks of the coordinator's two stores are taken in either order, by
 * the one thread of the one process that may hold them. Everything of ours is looked at. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) { return "called_from_lib:libzmq.so\ndeadlock:liblmdb.so\n"; }

/* Hostile files ask for more memory than there is. That must end in a status, as it does with the plain allocator. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }
