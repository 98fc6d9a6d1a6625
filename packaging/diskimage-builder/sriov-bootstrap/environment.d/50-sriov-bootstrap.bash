# A .deb or .rpm on the build host; empty: from the image's repositories.
export DIB_SRIOV_BOOTSTRAP_PACKAGE=${DIB_SRIOV_BOOTSTRAP_PACKAGE:-}
# .toml files on the build host, or directories of them, separated by spaces; empty: the image has no rules.
export DIB_SRIOV_BOOTSTRAP_CONFIG=${DIB_SRIOV_BOOTSTRAP_CONFIG:-}
