#compdef mfabridge
# Completion of mfabridge's commands and options for zsh. What was typed is
# handed over as it is, and never evaluated.
_mfabridge() {
    local line answer skip=
    local -a whole open wholes opens
    answer=$(command mfabridge __complete zsh "${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" 2>/dev/null)
    for line in "${(@f)answer}"; do
        case $line in
        :files*) skip=${line#:files } ;;
        *[:/]$'\t'*) open+=("${line%%$'\t'*}") opens+=("${line/$'\t'/  }") ;;
        ?*) whole+=("${line%%$'\t'*}") wholes+=("${line/$'\t'/  }") ;;
        esac
    done
    (( $#whole )) && compadd -l -d wholes -a whole
    (( $#open )) && compadd -l -S '' -d opens -a open
    if [[ -n $skip ]]; then
        compset -p $skip
        _files
    fi
}
if [[ $funcstack[1] == _mfabridge ]]; then
    _mfabridge "$@"
else
    compdef _mfabridge mfabridge
fi
