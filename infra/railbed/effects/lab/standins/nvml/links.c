/* PCIe, places, NVLink and the NVLink fabric. SIMULATED. */
#include "mock.h"
#include "links.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define GPUS_PER_SOCKET 4
#define FABRIC_MANAGER "/usr/lib/railbed-sim/fabric-manager"
#define FABRIC_READY "/run/railbed-sim/fabric"

ANSWER_NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, "pcie_gen", 5)
ANSWER_NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, "pcie_gen_max", 5)
ANSWER_NUMBER(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned int, "pcie_gen_max", 5)
ANSWER_NUMBER(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, "pcie_width", 16)
ANSWER_NUMBER(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, "pcie_width_max", 16)
ANSWER_NUMBER(nvmlDeviceGetPcieReplayCounter, unsigned int, "pcie_replay", 0)

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int *value)
{
    RETURN_ERROR_OF(device);
    (void)counter;
    *value = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t one, nvmlDevice_t other, nvmlGpuTopologyLevel_t *level)
{
    RETURN_ERROR_OF(one);
    *level = device_index(one) / GPUS_PER_SOCKET == device_index(other) / GPUS_PER_SOCKET ? NVML_TOPOLOGY_NODE
                                                                                         : NVML_TOPOLOGY_SYSTEM;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned int words, unsigned long *set)
{
    RETURN_ERROR_OF(device);
    memset(set, 0, words * sizeof *set);
    set[0] = (unsigned long)device_number(device, "cpumask", 3);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned int words, unsigned long *set,
                                         nvmlAffinityScope_t scope)
{
    RETURN_ERROR_OF(device);
    (void)scope;
    memset(set, 0, words * sizeof *set);
    set[0] = 1UL << device_number(device, "numa", (number_t)(device_index(device) / GPUS_PER_SOCKET));
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t one, nvmlDevice_t other, nvmlGpuP2PCapsIndex_t which,
                                    nvmlGpuP2PStatus_t *status)
{
    RETURN_ERROR_OF(one);
    (void)other;
    (void)which;
    *status = NVML_P2P_STATUS_OK;
    return NVML_SUCCESS;
}

unsigned int link_count(nvmlDevice_t device)
{
    return (unsigned int)device_number(device, "nvlinks", 18);
}

int link_is_up(nvmlDevice_t device, unsigned int link)
{
    char key[KEY_OF_LINK_SIZE];

    snprintf(key, sizeof key, "nvlink%u", link);
    return link < link_count(device) && strcmp(device_text(device, key, "up"), "down") != 0;
}

unsigned int link_mbytes_per_s(nvmlDevice_t device, unsigned int link)
{
    char key[KEY_OF_LINK_SIZE];

    if (!link_is_up(device, link)) return 0;
    snprintf(key, sizeof key, "nvlink%u_mbps", link);
    return (unsigned int)device_number(device, key, device_number(device, "nvlink_mbps", 26562));
}

number_t link_errors(nvmlDevice_t device, unsigned int link, const char *kind)
{
    char key[KEY_OF_LINK_SIZE];
    struct timespec up;
    number_t counted;

    snprintf(key, sizeof key, "nvlink%u_%s", link, kind);
    counted = device_number(device, key, 0);
    snprintf(key, sizeof key, "nvlink%u_%s_per_s", link, kind);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return counted + device_number(device, key, 0) * (number_t)up.tv_sec;
}

#define RETURN_ERROR_OF_LINK(device, link)                                         \
    do {                                                                           \
        RETURN_ERROR_OF(device);                                                   \
        if ((link) >= link_count(device)) return NVML_ERROR_INVALID_ARGUMENT;      \
    } while (0)

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *state)
{
    RETURN_ERROR_OF_LINK(device, link);
    *state = link_is_up(device, link) ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *version)
{
    RETURN_ERROR_OF_LINK(device, link);
    *version = (unsigned int)device_number(device, "nvlink_version", 4);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned int link, nvmlNvLinkCapability_t which,
                                           unsigned int *has)
{
    RETURN_ERROR_OF_LINK(device, link);
    (void)which;
    *has = 1;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link, nvmlNvLinkErrorCounter_t which,
                                             number_t *count)
{
    static const char *const kinds[] = {
        [NVML_NVLINK_ERROR_DL_REPLAY] = "replay",
        [NVML_NVLINK_ERROR_DL_RECOVERY] = "recovery",
        [NVML_NVLINK_ERROR_DL_CRC_FLIT] = "crc_flit",
        [NVML_NVLINK_ERROR_DL_CRC_DATA] = "crc_data",
    };

    RETURN_ERROR_OF_LINK(device, link);
    if (which > NVML_NVLINK_ERROR_DL_CRC_DATA) return NVML_ERROR_NOT_SUPPORTED;
    *count = link_errors(device, link, kinds[which]);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    RETURN_ERROR_OF_LINK(device, link);
    if (!link_is_up(device, link)) return NVML_ERROR_NOT_SUPPORTED;
    memset(pci, 0, sizeof *pci);
    pci->bus = 0x05 + link % 4; /* one of the board's four NVSwitches */
    pci->pciDeviceId = 0x22A310DE;
    snprintf(pci->busId, sizeof pci->busId, "00000000:%02X:00.0", pci->bus);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "0000:%02X:00.0", pci->bus);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link,
                                                 nvmlIntNvLinkDeviceType_t *type)
{
    RETURN_ERROR_OF_LINK(device, link);
    *type = NVML_NVLINK_DEVICE_TYPE_SWITCH;
    return NVML_SUCCESS;
}

/* Where a fabric manager is installed, its start brings the GPUs into the fabric. */
static const char *fabric_by_manager(void)
{
    char line[LINE_SIZE];

    return first_line(FABRIC_MANAGER, line) && !first_line(FABRIC_READY, line) ? "in_progress" : "completed";
}

static nvmlGpuFabricState_t fabric_state(nvmlDevice_t device)
{
    const char *state = device_text(device, "fabric", fabric_by_manager());

    if (!strcmp(state, "none")) return NVML_GPU_FABRIC_STATE_NOT_SUPPORTED;
    if (!strcmp(state, "not_started")) return NVML_GPU_FABRIC_STATE_NOT_STARTED;
    if (!strcmp(state, "in_progress")) return NVML_GPU_FABRIC_STATE_IN_PROGRESS;
    return NVML_GPU_FABRIC_STATE_COMPLETED;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *fabric)
{
    RETURN_ERROR_OF(device);
    memset(fabric, 0, sizeof *fabric);
    fabric->state = (unsigned char)fabric_state(device);
    fabric->status = (nvmlReturn_t)device_number(device, "fabric_status", NVML_SUCCESS);
    fabric->cliqueId = (unsigned int)device_number(device, "clique", 0);
    return NVML_SUCCESS;
}

/* The caller's structure is of the version that it says; the third has one field more than the second. */
nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *fabric)
{
    RETURN_ERROR_OF(device);
    fabric->state = fabric_state(device);
    fabric->status = (nvmlReturn_t)device_number(device, "fabric_status", NVML_SUCCESS);
    fabric->cliqueId = (unsigned int)device_number(device, "clique", 0);
    fabric->healthMask = (unsigned int)device_number(device, "fabric_health", 0xaa);
    memset(fabric->clusterUuid, (int)device_number(device, "cluster", 1), NVML_GPU_FABRIC_UUID_LEN);
    if (fabric->version == nvmlGpuFabricInfo_v3)
        fabric->healthSummary
            = (unsigned char)device_number(device, "fabric_summary", NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY);
    return NVML_SUCCESS;
}
