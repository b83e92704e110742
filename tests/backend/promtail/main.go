// Runs the lines of standard input through the stages of a Promtail configuration's first job and
// prints what would be sent to Loki, one JSON object a line.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/grafana/loki/v3/clients/pkg/logentry/stages"
	"github.com/grafana/loki/v3/clients/pkg/promtail/api"

	gokit "github.com/go-kit/log"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v2"
)

func main() {
	var config struct {
		Jobs []struct {
			Stages stages.PipelineStages `yaml:"pipeline_stages"`
		} `yaml:"scrape_configs"`
	}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = yaml.Unmarshal(text, &config)
	}
	if err != nil {
		log.Fatal(err)
	}
	pipeline, err := stages.NewPipeline(gokit.NewNopLogger(), config.Jobs[0].Stages, nil,
		prometheus.NewRegistry())
	if err != nil {
		log.Fatal(err)
	}
	in := make(chan stages.Entry)
	out := pipeline.Run(in)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			in <- stages.Entry{Extracted: map[string]interface{}{}, Entry: api.Entry{
				Labels: model.LabelSet{},
				Entry:  push.Entry{Line: lines.Text(), Timestamp: time.Unix(0, 0)}}}
		}
		close(in)
	}()
	print := json.NewEncoder(os.Stdout)
	for e := range out {
		print.Encode(map[string]interface{}{"line": e.Line, "time": e.Timestamp.UnixMilli(),
			"labels": e.Labels, "metadata": e.StructuredMetadata})
	}
}
