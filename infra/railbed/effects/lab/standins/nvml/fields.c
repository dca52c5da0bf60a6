/* Values that callers ask for by number (NVML_FI_…): power limits of `-q`, NVLink, memory temperature. SIMULATED. */
#include "links.h"
#include "mock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


/* Fields that are one key of the state file. */
static const struct {
    unsigned int field;
    const char *key;
    number_t otherwise;
} plain[] = {
    {NVML_FI_DEV_ECC_CURRENT, "ecc", 1},
    {NVML_FI_DEV_ECC_PENDING, "ecc_pending", 1},
    {NVML_FI_DEV_MEMORY_TEMP, "temp_mem", 40},
    {NVML_FI_DEV_NVLINK_GET_VERSION, "nvlink_version", 4},
    {NVML_FI_DEV_REMAPPED_COR, "remap_corr", 0},
    {NVML_FI_DEV_REMAPPED_UNC, "remap_unc", 0},
    {NVML_FI_DEV_REMAPPED_PENDING, "remap_pending", 0},
    {NVML_FI_DEV_REMAPPED_FAILURE, "remap_failed", 0},
    {NVML_FI_DEV_POWER_AVERAGE, "power_mw", 69000},
    {NVML_FI_DEV_POWER_INSTANT, "power_mw", 69000},
    {NVML_FI_DEV_POWER_MIN_LIMIT, "power_min_mw", 200000},
    {NVML_FI_DEV_POWER_MAX_LIMIT, "power_max_mw", 700000},
    {NVML_FI_DEV_POWER_DEFAULT_LIMIT, "power_default_mw", 700000},
    {NVML_FI_DEV_POWER_CURRENT_LIMIT, "power_limit_mw", 700000},
    {NVML_FI_DEV_POWER_REQUESTED_LIMIT, "power_limit_mw", 700000},
    {NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, "recovery_action", NVML_GPU_RECOVERY_ACTION_NONE},
};

/* Error counters of one link. */
static const struct {
    unsigned int field;
    const char *kind;
} of_link[] = {
    {NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY, "replay"},
    {NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY, "recovery"},
    {NVML_FI_DEV_NVLINK_ERROR_DL_CRC, "crc_flit"},
};
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static nvmlReturn_t answer_uint(nvmlFieldValue_t *value, number_t number)
{
    value->value.uiVal = (unsigned int)number;
    return NVML_SUCCESS;
}

/* Speed of the links that are up; 0 where none is. */
static unsigned int common_speed(nvmlDevice_t device)
{
    for (unsigned int link = 0; link < link_count(device); link++)
        if (link_is_up(device, link)) return link_mbytes_per_s(device, link);
    return 0;
}

static nvmlReturn_t answer_link(nvmlDevice_t device, nvmlFieldValue_t *value)
{
    unsigned int field = value->fieldId, link = value->scopeId;

    if (field == NVML_FI_DEV_NVLINK_LINK_COUNT) return answer_uint(value, link_count(device));
    if (field == NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON) return answer_uint(value, common_speed(device));
    if (field == NVML_FI_DEV_NVLINK_GET_SPEED) return answer_uint(value, link_mbytes_per_s(device, link));
    if (field == NVML_FI_DEV_NVLINK_GET_STATE) return answer_uint(value, (number_t)link_is_up(device, link));
    if (field >= NVML_FI_DEV_NVLINK_SPEED_MBPS_L0 && field <= NVML_FI_DEV_NVLINK_SPEED_MBPS_L5)
        return answer_uint(value, link_mbytes_per_s(device, field - NVML_FI_DEV_NVLINK_SPEED_MBPS_L0));
    if (field >= NVML_FI_DEV_NVLINK_SPEED_MBPS_L6 && field <= NVML_FI_DEV_NVLINK_SPEED_MBPS_L11)
        return answer_uint(value, link_mbytes_per_s(device, 6 + field - NVML_FI_DEV_NVLINK_SPEED_MBPS_L6));
    for (unsigned int i = 0; i < COUNT(of_link); i++)
        if (of_link[i].field == field) {
            if (!link_is_up(device, link)) return NVML_ERROR_NOT_SUPPORTED;
            return answer_uint(value, link_errors(device, link, of_link[i].kind));
        }
    return NVML_ERROR_NOT_SUPPORTED;
}

/* Any other field may be set in the state file by its number. */
static nvmlReturn_t answer_numbered(nvmlDevice_t device, nvmlFieldValue_t *value)
{
    char key[24];
    const char *text;

    snprintf(key, sizeof key, "field_%u", value->fieldId);
    if ((text = device_text(device, key, NULL))) return answer_uint(value, strtoull(text, NULL, 0));
    if (traced()) fprintf(stderr, "mock NVML: field %u scope %u not supported\n", value->fieldId, value->scopeId);
    return NVML_ERROR_NOT_SUPPORTED;
}

static nvmlReturn_t answer(nvmlDevice_t device, nvmlFieldValue_t *value)
{
    nvmlReturn_t result;

    if (value->fieldId == NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION || value->fieldId == NVML_FI_DEV_ENERGY) {
        value->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
        value->value.ullVal = device_number(device, "energy_mj", 1000);
        return NVML_SUCCESS;
    }
    for (unsigned int i = 0; i < COUNT(plain); i++)
        if (plain[i].field == value->fieldId)
            return answer_uint(value, device_number(device, plain[i].key, plain[i].otherwise));
    result = answer_link(device, value);
    return result == NVML_ERROR_NOT_SUPPORTED ? answer_numbered(device, value) : result;
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    struct timespec now;

    RETURN_ERROR_OF(device);
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < count; i++) {
        values[i].timestamp = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
        values[i].latencyUsec = 1;
        values[i].valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
        memset(&values[i].value, 0, sizeof values[i].value);
        values[i].nvmlReturn = answer(device, &values[i]);
    }
    return NVML_SUCCESS;
}
