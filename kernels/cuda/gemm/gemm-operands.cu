/* The operands and results of a gemm, for the products. The host defines A_TYPE, B_TYPE, OUT_TYPE, A_K_MAJOR, A_ALIGNED, B_K_MAJOR,
 * B_ALIGNED, and OUT_EVEN: rows of the output have an even number of elements. */
#define ARGUMENTS gemm_args
typedef matrix_operand<A_TYPE, A_K_MAJOR, A_ALIGNED> left_operand;
typedef matrix_operand<B_TYPE, B_K_MAJOR, B_ALIGNED> right_operand;

FARM_DEVICE left_operand left_operand_of(const gemm_args &args, int batch) {
  return left_operand{reinterpret_cast<const A_TYPE *>(args.a) + batch * args.a_batch, args.a_line, args.product.rows,
                      args.product.depth};
}
FARM_DEVICE right_operand right_operand_of(const gemm_args &args, int batch) {
  return right_operand{reinterpret_cast<const B_TYPE *>(args.b) + batch * args.b_batch, args.b_line, args.product.columns,
                       args.product.depth};
}

FARM_DEVICE void end_put(const gemm_args &args, int batch, int row, int column, float x) {
  const i64 index = ((i64)batch * args.product.rows + row) * args.product.columns + column;
  reinterpret_cast<OUT_TYPE *>(args.out)[index] = from_float<OUT_TYPE>(end_value(x, args.end, index, column));
}

/* column is even */
FARM_DEVICE void end_put2(const gemm_args &args, int batch, int row, int column, float x, float y) {
  if (!OUT_EVEN) {
    end_put(args, batch, row, column, x);
    if (column + 1 < args.product.columns) end_put(args, batch, row, column + 1, y);
    return;
  }
  const i64 index = ((i64)batch * args.product.rows + row) * args.product.columns + column;
  store_pair<OUT_TYPE>(args.out, index, end_value(x, args.end, index, column), end_value(y, args.end, index + 1, column + 1));
}
