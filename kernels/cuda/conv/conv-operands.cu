/* The operands and results of a convolution, for the products: the matrix of windows is read in place, zero where a window leaves the
 * image.
 *
 *   channels last    rows are pixels, columns are filters: what a thread writes are neighbouring channels
 *   channels first   rows are filters, columns are pixels
 *
 * The host defines X_TYPE, W_TYPE, OUT_TYPE, NHWC, X_ALIGNED, W_ALIGNED, OUT_EVEN, CONV_R, CONV_S and the order of the depth: CONV_C, the
 * channels of a group, for (r, s, c); 0 for (c, r, s), in which weights come.
 */
#define ARGUMENTS conv_args

struct image_operand {
  typedef X_TYPE type;
  static constexpr bool K_MAJOR = NHWC, ALIGNED = X_ALIGNED;
  const X_TYPE *base; // first channel of the group
  const conv_args &args;

  /* Outside, h is far below zero. */
  struct line {
    i64 image;
    int h, w; // of the window's first tap
  };
  struct place {
    int channel, h, w; // elements; offset of the tap
  };
  enum { OUTSIDE = -(1 << 30) };

  FARM_MEMBER line line_at(int i) const {
    const int n = i / args.out_hw, p = i % args.out_hw, y = p / args.out_w, x = p % args.out_w;
    return line{n * args.image, i < args.pixels ? y * args.stride_h - args.pad_t : OUTSIDE, x * args.stride_w - args.pad_l};
  }
  FARM_MEMBER place place_at(int k) const {
    const int tap = CONV_C ? k / (CONV_C ? CONV_C : 1) : k % (CONV_R * CONV_S);
    const int c = CONV_C ? k % (CONV_C ? CONV_C : 1) : k / (CONV_R * CONV_S);
    return place{NHWC ? c : c * (args.h * args.w_extent), k < args.product.depth ? tap / CONV_S * args.dil_h : OUTSIDE,
                 tap % CONV_S * args.dil_w};
  }
  FARM_MEMBER bool inside(const line &l, const place &p) const {
    return (u32)(l.h + p.h) < (u32)args.h && (u32)(l.w + p.w) < (u32)args.w_extent;
  }
  FARM_MEMBER const X_TYPE *address(const line &l, const place &p) const {
    const int pixel = (l.h + p.h) * args.w_extent + l.w + p.w;
    return base + l.image + (p.channel + (NHWC ? pixel * args.c : pixel));
  }
  FARM_MEMBER const X_TYPE *anywhere() const { return base; }
};
typedef matrix_operand<W_TYPE, true, W_ALIGNED> filter_operand;

FARM_DEVICE image_operand image_operand_of(const conv_args &args, int group) {
  const i64 first = (i64)group * args.group_c * (NHWC ? 1 : args.h * args.w_extent);
  return image_operand{reinterpret_cast<const X_TYPE *>(args.x) + first, args};
}
FARM_DEVICE filter_operand filter_operand_of(const conv_args &args, int group) {
  return filter_operand{reinterpret_cast<const W_TYPE *>(args.w) + group * args.w_group, args.w_line, args.group_k, args.product.depth};
}

#if NHWC
typedef image_operand left_operand;
typedef filter_operand right_operand;
#define left_operand_of image_operand_of
#define right_operand_of filter_operand_of
#else
typedef filter_operand left_operand;
typedef image_operand right_operand;
#define left_operand_of filter_operand_of
#define right_operand_of image_operand_of
#endif

/* Where filter k (of all) of a pixel (of all images) is written. */
FARM_DEVICE i64 out_index(const conv_args &args, int k, int pixel) {
  if (NHWC) return (i64)pixel * args.k + k;
  return ((i64)(pixel / args.out_hw) * args.k + k) * args.out_hw + pixel % args.out_hw;
}

FARM_DEVICE void end_put(const conv_args &args, int group, int row, int column, float x) {
  const int k = group * args.group_k + (NHWC ? column : row);
  const i64 index = out_index(args, k, NHWC ? row : column);
  reinterpret_cast<OUT_TYPE *>(args.out)[index] = from_float<OUT_TYPE>(end_value(x, args.end, index, k));
}

/* column is even */
FARM_DEVICE void end_put2(const conv_args &args, int group, int row, int column, float x, float y) {
  if (!OUT_EVEN) {
    end_put(args, group, row, column, x);
    if (column + 1 < args.product.columns) end_put(args, group, row, column + 1, y);
    return;
  }
  const int k = group * args.group_k + (NHWC ? column : row);
  const i64 index = out_index(args, k, NHWC ? row : column);
  store_pair<OUT_TYPE>(args.out, index, end_value(x, args.end, index, k), end_value(y, args.end, index + 1, NHWC ? k + 1 : k));
}
