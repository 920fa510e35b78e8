# Completion of mfabridge's commands and options for bash 4.0 or later. What was
# typed is handed over as it is, and never evaluated.
_mfabridge() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files*) compopt -o default ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <(command mfabridge __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:/] ]]; then
        compopt -o nospace
    fi
}
complete -F _mfabridge mfabridge
