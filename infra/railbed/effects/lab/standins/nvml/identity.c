/* Which GPUs there are, and how each is told from the others. SIMULATED. */
#include "mock.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SIMULATED_PART "railbed-simulated"

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    *count = (unsigned int)device_count();
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int *count)
{
    return nvmlDeviceGetCount_v2(count);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    if ((int)index >= device_count()) return NVML_ERROR_INVALID_ARGUMENT;
    *device = device_at((int)index);
    return device_error(*device, __func__);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

/* Without an entry: made up from the index, the same on every host. The lab writes entries of each host's own. */
const char *device_bus_id(nvmlDevice_t device)
{
    static char made[MAX_DEVICES][24];
    int index = device_index(device);

    snprintf(made[index], sizeof made[index], "00000000:%02X:00.0", (0x10 + 0x10 * index) & 0xff);
    return device_text(device, "pci", made[index]);
}

static const char *device_uuid(nvmlDevice_t device)
{
    static char made[MAX_DEVICES][48];
    int index = device_index(device);

    snprintf(made[index], sizeof made[index], "GPU-00000000-0000-0000-0000-%012d", index);
    return device_text(device, "uuid", made[index]);
}

/* Numbers of "domain:bus:device[.function]"; false where the text is none. */
static int parsed_bus_id(const char *text, unsigned int *domain, unsigned int *bus, unsigned int *slot)
{
    if (sscanf(text, "%x:%x:%x", domain, bus, slot) == 3) return 1;
    *domain = 0;
    return sscanf(text, "%x:%x", bus, slot) == 2;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
    unsigned int wanted[3], seen[3];

    if (!parsed_bus_id(bus_id, &wanted[0], &wanted[1], &wanted[2])) return NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; i < device_count(); i++)
        if (parsed_bus_id(device_bus_id(device_at(i)), &seen[0], &seen[1], &seen[2])
            && !memcmp(wanted, seen, sizeof seen)) {
            *device = device_at(i);
            return device_error(*device, __func__);
        }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    for (int i = 0; i < device_count(); i++)
        if (!strcasecmp(uuid, device_uuid(device_at(i)))) {
            *device = device_at(i);
            return device_error(*device, __func__);
        }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
    for (int i = 0; i < device_count(); i++)
        if (!strcmp(serial, device_text(device_at(i), "serial", ""))) {
            *device = device_at(i);
            return device_error(*device, __func__);
        }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
    *index = (unsigned int)device_index(device);
    return NVML_SUCCESS;
}

ANSWER_NUMBER(nvmlDeviceGetMinorNumber, unsigned int, "minor", (number_t)device_index(device))
ANSWER_NUMBER(nvmlDeviceGetModuleId, unsigned int, "module_id", (number_t)device_index(device) + 1)
ANSWER_NUMBER(nvmlDeviceGetBoardId, unsigned int, "board_id", 0x1000 * ((number_t)device_index(device) + 1))
ANSWER_NUMBER(nvmlDeviceGetMultiGpuBoard, unsigned int, "multi_gpu_board", 0)
ANSWER_NUMBER(nvmlDeviceGetBrand, nvmlBrandType_t, "brand", NVML_BRAND_NVIDIA)
ANSWER_NUMBER(nvmlDeviceGetArchitecture, nvmlDeviceArchitecture_t, "arch", NVML_DEVICE_ARCH_HOPPER)
ANSWER_TEXT(nvmlDeviceGetName, "name", "NVIDIA H100 80GB HBM3")
ANSWER_TEXT(nvmlDeviceGetSerial, "serial", "0000000000000")
ANSWER_TEXT(nvmlDeviceGetVbiosVersion, "vbios", "00.00.00.00.00")
ANSWER_TEXT(nvmlDeviceGetBoardPartNumber, "part", SIMULATED_PART)
ANSWER_TEXT(nvmlDeviceGetInforomImageVersion, "inforom_image", "simulated")

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *buffer, unsigned int size)
{
    RETURN_ERROR_OF(device);
    return put_text(buffer, size, device_uuid(device));
}

nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *version)
{
    RETURN_ERROR_OF(device);
    return put_text(version, NVML_GSP_FIRMWARE_VERSION_BUF_SIZE, driver_version());
}

nvmlReturn_t nvmlDeviceGetGspFirmwareMode(nvmlDevice_t device, unsigned int *enabled, unsigned int *standard)
{
    RETURN_ERROR_OF(device);
    *enabled = *standard = 1;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device, nvmlInforomObject_t object, char *buffer,
                                         unsigned int size)
{
    RETURN_ERROR_OF(device);
    return put_text(buffer, size, object == NVML_INFOROM_OEM ? "2.1" : object == NVML_INFOROM_ECC ? "7.16" : "N/A");
}

nvmlReturn_t nvmlDeviceValidateInforom(nvmlDevice_t device)
{
    RETURN_ERROR_OF(device);
    return device_number(device, "inforom_corrupt", 0) ? NVML_ERROR_CORRUPTED_INFOROM : NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    RETURN_ERROR_OF(device);
    memset(pci, 0, sizeof *pci);
    parsed_bus_id(device_bus_id(device), &pci->domain, &pci->bus, &pci->device);
    snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus & 0xff, pci->device & 0xff);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xffff, pci->bus & 0xff,
             pci->device & 0xff);
    pci->pciDeviceId = (unsigned int)device_number(device, "pci_device_id", 0x233010DE);
    pci->pciSubSystemId = (unsigned int)device_number(device, "pci_subsystem_id", 0x16C110DE);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    return nvmlDeviceGetPciInfo_v3(device, pci);
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    return nvmlDeviceGetPciInfo_v3(device, pci);
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    number_t capability;

    RETURN_ERROR_OF(device);
    capability = device_number(device, "cc", 90);
    *major = (int)(capability / 10);
    *minor = (int)(capability % 10);
    return NVML_SUCCESS;
}
