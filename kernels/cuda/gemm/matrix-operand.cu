/* The operand that lies in memory as a matrix, `line_step` elements from line to line of memory. */
template <class T, bool K_CONTIGUOUS, bool IS_ALIGNED> struct matrix_operand {
  typedef T type;
  static constexpr bool K_MAJOR = K_CONTIGUOUS, ALIGNED = IS_ALIGNED;
  const T *base;
  int line_step, lines, depth;

  struct line {
    i64 offset;
    bool inside;
  };
  typedef line place;
  FARM_MEMBER line line_at(int i) const { return line{K_MAJOR ? (i64)i * line_step : (i64)i, i < lines}; }
  FARM_MEMBER place place_at(int k) const { return place{K_MAJOR ? (i64)k : (i64)k * line_step, k < depth}; }
  FARM_MEMBER bool inside(const line &l, const place &p) const { return l.inside && p.inside; }
  FARM_MEMBER const T *address(const line &l, const place &p) const { return base + (l.offset + p.offset); }
  FARM_MEMBER const T *anywhere() const { return base; } // an aligned address that may be read
};
