// Which places hold what runs, or decides what runs, by itself: when a person logs in, opens a shell, uses git. Whether a path is one of them is reach.ts's.

const IN_HOME = [
  ...[".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".inputrc"],
  ...[".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login"],
  ...[".xinitrc", ".xprofile", ".xsession", ".xsessionrc", ".pam_environment", ".gitconfig", ".git-credentials"],
  ...[".vimrc", ".vim", ".emacs", ".emacs.d", ".tmux.conf", ".npmrc", ".pythonrc.py", ".direnvrc", ".ssh"],
  ...["autostart", "environment.d", "systemd", "fish", "git", "zsh", "nvim", "direnv", "plasma-workspace"].map((name) => `.config/${name}`),
  ...["applications", "systemd", "dbus-1", "kservices5", "nautilus"].map((name) => `.local/share/${name}`),
  ...["bin", ".bin", ".local/bin", ".cargo/bin", "go/bin", ".npm-global/bin"],
  ...["LaunchAgents", "LaunchDaemons", "Application Scripts", "Services"].map((name) => `Library/${name}`),
];
const OF_THE_SYSTEM = [
  ...["/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/var/spool/cron", "/opt/homebrew/bin"],
  ...["/Library/LaunchAgents", "/Library/LaunchDaemons", "/Library/StartupItems"],
];

/** A folder stands for all that is in it. */
export const startupPlaces = (home: string): string[] => [...IN_HOME.map((place) => `${home}/${place}`), ...OF_THE_SYSTEM];
