/* Networks that clgrad knows by name. */
#ifndef CLGRAD_MODELS_H
#define CLGRAD_MODELS_H

#include "clgrad/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 *   digits     for 1 x 8 x 8: three convolutions with batch norm, a linear layer
 *   lenet5     for 1 x 28 x 28: LeCun et al. 1998 with padding 2 in the first convolution, relu and
 *              max pooling; the parameters' names are those of a torch.nn.Sequential ("0.weight")
 *   mlp        for 1 x 28 x 28: two linear layers
 *   resnet18   for 3 x 224 x 224: He et al. 2015; names as in torchvision ("layer1.0.conv1.weight")
 *   resnet20   for 3 x 32 x 32: the network of that paper for CIFAR, with projection shortcuts;
 *              names in the same manner
 *   resnet50   for 3 x 224 x 224: with bottlenecks, whose stride is that of the 3 x 3 convolution,
 *              as in torchvision
 * They take other image sizes and numbers of channels as far as their layers do.
 */

/* How many there are, and the name of number i; NULL when there is none. */
CLG_API int clg_model_num_names(void);
CLG_API const char *clg_model_name(int i);

typedef struct clg_network_desc {
    const char *name;
    clg_model_desc model; /* channels 0: channels, height and width are the network's own */
    int64_t classes;      /* 0: the network's own: 10, 1000 for resnet18 and 50 */
} clg_network_desc;

/*
 * Makes and builds the network; *model is NULL after a failure. The metadata says what it is:
 * clgrad.model, clgrad.input ("1x28x28"), clgrad.classes.
 * Errors: CLG_INVALID_ARGUMENT (NULL, no network of that name: the message lists them, a number of
 * classes below 0), and those of clg_model_create and clg_model_build.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_model_by_name(clg_context *ctx, const clg_network_desc *desc,
                                                     const clg_train_desc *train,
                                                     clg_model **model);

/*
 * Makes the network that a file of clg_model_save holds, by its metadata, and loads it. All
 * metadata of the file is taken over. train: as in clg_model_build. *model is NULL after a failure.
 * Errors: those of clg_safetensors_open, CLG_BAD_FORMAT (metadata that is missing or makes no
 * sense), and those of clg_model_by_name and clg_model_load.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_model_open(clg_context *ctx, const char *path,
                                                  const clg_train_desc *train, clg_model **model);

#ifdef __cplusplus
}
#endif

#endif
