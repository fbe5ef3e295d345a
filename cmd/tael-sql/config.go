package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"gopkg.in/yaml.v3"

	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/ingest/redact"
)

// config is the settings of serve. A flag comes before the environment, that
// before the file, that before the default.
type config struct {
	DataDir      string `mapstructure:"data-dir" yaml:"data-dir"`
	PGAddr       string `mapstructure:"pg-addr" yaml:"pg-addr"`
	OTLPGRPCAddr string `mapstructure:"otlp-grpc-addr" yaml:"otlp-grpc-addr"`
	OTLPHTTPAddr string `mapstructure:"otlp-http-addr" yaml:"otlp-http-addr"`
	AdminAddr    string `mapstructure:"admin-addr" yaml:"admin-addr"`

	Ingest struct {
		MaxMessageBytes  int64         `mapstructure:"max_message_bytes" yaml:"max_message_bytes"`
		MaxInFlightBytes int64         `mapstructure:"max_in_flight_bytes" yaml:"max_in_flight_bytes"`
		ReplaceHorizon   time.Duration `mapstructure:"replace_horizon" yaml:"replace_horizon"`
		DedupeWindow     time.Duration `mapstructure:"dedupe_window" yaml:"dedupe_window"`
		CORSOrigins      []string      `mapstructure:"cors_origins" yaml:"cors_origins"`
		MinFreeDisk      float64       `mapstructure:"min_free_disk" yaml:"min_free_disk"`
		Ballast          int64         `mapstructure:"ballast" yaml:"ballast"`
		PII              pii           `mapstructure:"pii" yaml:"pii"`
	} `mapstructure:"ingest" yaml:"ingest"`
	LLM struct {
		Payloads string `mapstructure:"payloads" yaml:"payloads"`
	} `mapstructure:"llm" yaml:"llm"`
	Hot struct {
		MemtableBytes int64         `mapstructure:"memtable_bytes" yaml:"memtable_bytes"`
		FlushAfter    time.Duration `mapstructure:"flush_after" yaml:"flush_after"`
		Window        time.Duration `mapstructure:"window" yaml:"window"`
		WALBytes      int64         `mapstructure:"wal_bytes" yaml:"wal_bytes"`
		CacheBytes    int64         `mapstructure:"cache_bytes" yaml:"cache_bytes"`
	} `mapstructure:"hot" yaml:"hot"`
	Cold struct {
		URL string `mapstructure:"url" yaml:"url"`
	} `mapstructure:"cold" yaml:"cold"`
	Retention retention `mapstructure:"retention" yaml:"retention"`
	Limits    struct {
		Connections        int   `mapstructure:"connections" yaml:"connections"`
		ConnectionsPerHost int   `mapstructure:"connections_per_host" yaml:"connections_per_host"`
		QueryMemory        int64 `mapstructure:"query_memory" yaml:"query_memory"`
		TotalMemory        int64 `mapstructure:"total_memory" yaml:"total_memory"`
		GoMemory           int64 `mapstructure:"go_memory" yaml:"go_memory"`
	} `mapstructure:"limits" yaml:"limits"`
	TLS struct {
		Cert     string `mapstructure:"cert" yaml:"cert"`
		Key      string `mapstructure:"key" yaml:"key"`
		ClientCA string `mapstructure:"client_ca" yaml:"client_ca"`
	} `mapstructure:"tls" yaml:"tls"`
	Audit struct {
		Level string `mapstructure:"level" yaml:"level"`
		File  string `mapstructure:"file" yaml:"file"`
	} `mapstructure:"audit" yaml:"audit"`
	Admin struct {
		Pprof bool `mapstructure:"pprof" yaml:"pprof"`
	} `mapstructure:"admin" yaml:"admin"`
	Log struct {
		Level string `mapstructure:"level" yaml:"level"`
	} `mapstructure:"log" yaml:"log"`

	redactor *redact.Redactor // nil: all is stored as it came

	cold object.Store // what cold.url names; nil: the engine's own folder
}

// defaults lists every setting; a key that is not here is unknown.
var defaults = map[string]any{
	"data-dir": "./tael-data", "pg-addr": "127.0.0.1:5433", "otlp-grpc-addr": "127.0.0.1:4317",
	"otlp-http-addr": "127.0.0.1:4318", "admin-addr": "127.0.0.1:7711",
	"ingest.max_message_bytes": 16 << 20, "ingest.max_in_flight_bytes": 128 << 20,
	"ingest.replace_horizon": "24h", "ingest.dedupe_window": "10m", "ingest.cors_origins": []string{}, "ingest.min_free_disk": 0.05, "ingest.ballast": 256 << 20,
	"ingest.pii.deny_keys": []string{}, "ingest.pii.rules": []any{}, "llm.payloads": redact.KeepPayloads,
	"hot.memtable_bytes": 64 << 20, "hot.flush_after": "5m", "hot.window": "24h", "hot.wal_bytes": 512 << 20, "hot.cache_bytes": 192 << 20,
	"cold.url":        "",
	"retention.spans": "0", "retention.logs": "0", "retention.metrics": "0",
	"retention.metrics_5m": "0", "retention.payloads": "0", "retention.comments": "0",
	"limits.connections": 100, "limits.connections_per_host": 0, "limits.query_memory": 256 << 20, "limits.total_memory": 1 << 30, "limits.go_memory": 640 << 20,
	"tls.cert": "", "tls.key": "", "tls.client_ca": "",
	"audit.level": auditOff, "audit.file": "",
	"admin.pprof": false,
	"log.level":   "info",
}

// serveFlags adds the flags that every command with a gateway has.
func serveFlags(fs *pflag.FlagSet) {
	fs.String("config", "", "YAML file with settings (see tael-sql.example.yaml)")
	fs.String("data-dir", "./tael-data", "folder that holds everything")
	fs.String("pg-addr", "127.0.0.1:5433", "address of the PostgreSQL protocol; port 0 picks one")
	fs.String("otlp-grpc-addr", "127.0.0.1:4317", "address of OTLP over gRPC")
	fs.String("otlp-http-addr", "127.0.0.1:4318", "address of OTLP over HTTP")
	fs.String("admin-addr", "127.0.0.1:7711", "address of /healthz, /readyz and /metrics")
}

// loadConfig reads the settings and refuses what it does not know.
func loadConfig(fs *pflag.FlagSet) (*config, error) {
	v := viper.New()
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	v.SetEnvPrefix("TAEL_SQL")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_", ".", "_"))
	v.AutomaticEnv()
	if f := fs.Lookup("config"); f != nil && f.Value.String() != "" {
		v.SetConfigFile(f.Value.String())
		if err := v.ReadInConfig(); err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		for _, key := range v.AllKeys() {
			if _, ok := defaults[key]; !ok {
				return nil, fmt.Errorf("unknown setting %q in %s", key, f.Value.String())
			}
		}
	}
	if err := unknownEnvironment(); err != nil {
		return nil, err
	}
	var bindErr error
	fs.VisitAll(func(f *pflag.Flag) {
		if _, ok := defaults[f.Name]; ok {
			bindErr = errors.Join(bindErr, v.BindPFlag(f.Name, f))
		}
	})
	if bindErr != nil {
		return nil, bindErr
	}
	c := &config{}
	if err := v.UnmarshalExact(c); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return c, c.validate()
}

// unknownEnvironment refuses TAEL_SQL_… variables that set nothing.
func unknownEnvironment() error {
	known := make([]string, 0, len(defaults))
	for key := range defaults {
		known = append(known, "TAEL_SQL_"+strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(key)))
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "TAEL_SQL_") && !slices.Contains(known, name) {
			return fmt.Errorf("unknown setting %s in the environment", name)
		}
	}
	return nil
}

// isPublic reports whether a host to listen on can be reached from elsewhere.
func isPublic(host string) bool {
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// validate checks what no type can, and makes what settings name.
func (c *config) validate() error {
	for name, addr := range map[string]string{
		"pg-addr": c.PGAddr, "otlp-grpc-addr": c.OTLPGRPCAddr, "otlp-http-addr": c.OTLPHTTPAddr, "admin-addr": c.AdminAddr,
	} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		switch {
		case !isPublic(host):
		case name == "admin-addr":
			return fmt.Errorf("admin-addr %q is not a loopback address: it has no authentication", addr)
		case c.TLS.Cert == "":
			return fmt.Errorf("%s %q is not a loopback address: set tls.cert and tls.key, and give users passwords with tael-sql user add", name, addr)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") || c.TLS.ClientCA != "" && c.TLS.Cert == "" {
		return errors.New("tls.cert and tls.key belong together, and tls.client_ca to them")
	}
	if c.Cold.URL != "" {
		var err error
		if c.cold, err = object.Parse(c.Cold.URL, "", vfs.Default); err != nil {
			return fmt.Errorf("cold.url: %w", err)
		}
	}
	if err := c.newRedactor(); err != nil {
		return err
	}
	if c.Ingest.DedupeWindow < 0 {
		return fmt.Errorf("ingest.dedupe_window %s is negative; 0 switches it off", c.Ingest.DedupeWindow)
	}
	if !slices.Contains(auditLevels, c.Audit.Level) {
		return fmt.Errorf("audit.level is %s, not %q", strings.Join(auditLevels, ", "), c.Audit.Level)
	}
	if c.Hot.Window <= 0 {
		return fmt.Errorf("hot.window %s is not positive", c.Hot.Window)
	}
	if err := c.Retention.parse(); err != nil {
		return err
	}
	if c.Ingest.Ballast < 0 {
		return fmt.Errorf("ingest.ballast %d is negative; 0 is none", c.Ingest.Ballast)
	}
	if c.Ingest.MinFreeDisk >= 1 {
		return fmt.Errorf("ingest.min_free_disk is a share of the disk below 1, not %g", c.Ingest.MinFreeDisk)
	}
	return nil
}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Print or validate the settings"}
	show := &cobra.Command{
		Use: "print", Short: "Print the settings in force, as YAML", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			return yaml.NewEncoder(cmd.OutOrStdout()).Encode(c)
		},
	}
	check := &cobra.Command{
		Use: "validate", Short: "Check the settings and exit", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := loadConfig(cmd.Flags())
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "the settings are valid")
			}
			return err
		},
	}
	for _, c := range []*cobra.Command{show, check} {
		serveFlags(c.Flags())
		cmd.AddCommand(c)
	}
	return cmd
}
