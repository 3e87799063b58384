/* What moving elements of any type shares: they go in units of 1 to 16 bytes, u8 to uint4.
 *
 *   fill_unit(unit, bits)          8 bytes of bits, as often or as much as the unit holds
 *   quotient(a, b, narrow)         a / b of what is not negative
 *   EVERY_UNIT(bytes, CALL)        CALL(type of a unit of that many bytes)
 */
FARM_DEVICE void fill_unit(uint4 &to, u64 bits) {
  const u32 low = (u32)bits, high = (u32)(bits >> 32);
  to = make_uint4(low, high, low, high);
}
template <class T> FARM_DEVICE void fill_unit(T &to, u64 bits) { to = (T)bits; }

/* narrow: both fit in 32 bits, where a division costs a quarter */
FARM_DEVICE i64 quotient(i64 a, i64 b, bool narrow) { return narrow ? (i64)((u32)a / (u32)b) : a / b; }

#define EVERY_UNIT(bytes, CALL)                                                                              \
  switch (bytes) {                                                                                           \
  case 16: CALL(uint4); break;                                                                               \
  case 8: CALL(u64); break;                                                                                  \
  case 4: CALL(u32); break;                                                                                  \
  case 2: CALL(u16); break;                                                                                  \
  default: CALL(u8); break;                                                                                  \
  }
