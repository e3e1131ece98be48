/* What an operation may apply to its result while it stores it, in place of a pass of its own. */
#ifndef CLGRAD_EPILOGUE_H
#define CLGRAD_EPILOGUE_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Only functions whose derivative y alone tells, so that the caller need not keep what went in.
 * Each operation that takes one says what its backward functions do about it.
 */
typedef enum clg_epilogue {
    CLG_EPILOGUE_NONE = 0,
    CLG_EPILOGUE_RELU = 1, /* max(y, 0), a NaN stays one; its derivative is 0 where y <= 0 */
    CLG_EPILOGUE_COUNT
} clg_epilogue;

#ifdef __cplusplus
}
#endif

#endif
