/* Symbol visibility and compiler attributes of the public headers. */
#ifndef CLGRAD_EXPORT_H
#define CLGRAD_EXPORT_H

#if defined(__GNUC__)
#define CLG_API __attribute__((visibility("default")))
#define CLG_WARN_UNUSED __attribute__((warn_unused_result))
#else
#define CLG_API
#define CLG_WARN_UNUSED
#endif

#endif
