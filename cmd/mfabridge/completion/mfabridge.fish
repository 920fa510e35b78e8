# Completion of mfabridge's commands and options for fish. What was typed is
# handed over as it is, and never evaluated.
function __mfabridge_complete
    set -l typed (commandline -cp | string collect)
    for line in (command mfabridge __complete fish $typed 2>/dev/null)
        switch $line
            case ':files*'
                set -l skip (string replace ':files ' '' -- $line)
                set -l word (commandline -ct | string replace -r '^["\']' '' | string collect)
                set -l before (string sub -l $skip -- $word)
                printf '%s\n' $before(__fish_complete_path (string sub -s (math $skip + 1) -- $word))
            case '*'
                printf '%s\n' $line
        end
    end
end
complete -c mfabridge -f -a '(__mfabridge_complete)'
