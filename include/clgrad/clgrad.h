/*
 * clgrad: training convolutional networks on any OpenCL device.
 * This header includes all of the library's interface.
 */
#ifndef CLGRAD_CLGRAD_H
#define CLGRAD_CLGRAD_H

#include "clgrad/buffer.h"
#include "clgrad/context.h"
#include "clgrad/device.h"
#include "clgrad/profile.h"
#include "clgrad/run.h"
#include "clgrad/status.h"
#include "clgrad/tensor.h"
#include "clgrad/tuning.h"
#include "clgrad/version.h"

/* Operations */
#include "clgrad/accuracy.h"
#include "clgrad/activation.h"
#include "clgrad/add.h"
#include "clgrad/batch_norm.h"
#include "clgrad/concat.h"
#include "clgrad/conv2d.h"
#include "clgrad/conv_transpose2d.h"
#include "clgrad/dilate2d.h"
#include "clgrad/downsample2d.h"
#include "clgrad/dropout.h"
#include "clgrad/epilogue.h"
#include "clgrad/flip2d.h"
#include "clgrad/group_norm.h"
#include "clgrad/layer_norm.h"
#include "clgrad/linear.h"
#include "clgrad/mse.h"
#include "clgrad/optimizer.h"
#include "clgrad/pad2d.h"
#include "clgrad/pad_mode.h"
#include "clgrad/pool2d.h"
#include "clgrad/reorder.h"
#include "clgrad/softmax_cross_entropy.h"

/* Training */
#include "clgrad/batches.h"
#include "clgrad/layers.h"
#include "clgrad/model.h"
#include "clgrad/models.h"

/* Files */
#include "clgrad/idx.h"
#include "clgrad/image_set.h"
#include "clgrad/npy.h"
#include "clgrad/safetensors.h"

#endif
