namespace Tidemark.Cli.Doctor;

/// <summary>Prints a diagnosis as text: a summary, the findings by severity, and what could not be checked.</summary>
internal sealed class DiagnosisReport(Terminal terminal)
{
    private const int Indent = 2;

    public void Write(Diagnosis diagnosis)
    {
        terminal.Line(Summary(diagnosis), Tone.Strong);
        if (diagnosis.SystemIdentifier is { } identifier)
            terminal.Line($"To reject nodes of other clusters, set \"SystemIdentifier\": {identifier}");
        foreach (var findings in diagnosis.Findings.GroupBy(finding => finding.Severity))
        {
            terminal.Line();
            terminal.Line($"{findings.Key}s", findings.Key == Severity.Notice ? Tone.Strong : Tone.Bad);
            foreach (var finding in findings) Write(finding);
        }

        if (diagnosis.NotChecked.Length > 0) WriteNotChecked(diagnosis);
        terminal.Line();
        var incomplete = diagnosis.NotChecked.Length == 0 ? "" : " Some checks could not be made.";
        if (diagnosis.Findings.Length == 0) terminal.Line($"No findings in {diagnosis.Checks} checks.{incomplete}", Tone.Good);
        else terminal.Line($"{Counts(diagnosis)} in {diagnosis.Checks} checks.{incomplete} Each finding id is a section of "
            + $"docs/doctor.md.");
    }

    private static string Summary(Diagnosis diagnosis)
    {
        var nodes =
            string.Join(", ",
            diagnosis.Nodes.Select(node => $"{node.Name} {(node.IsReachable ? $"({node.Role ?? "role unknown"})" : "(unreachable)")}"));
        return $"{diagnosis.Nodes.Length} "
            + $"{(diagnosis.Nodes.Length == 1 ? "node" : "nodes")}{(diagnosis.Source.Length == 0 ? "" : $" from {diagnosis.Source}")}: "
            + $"{nodes}. {(diagnosis.Findings.Length == 0 ? "No findings" : Counts(diagnosis))}.";
    }

    private static string Counts(Diagnosis diagnosis) => string.Join(", ", diagnosis.Findings.GroupBy(finding => finding.Severity)
        .Select(findings => $"{findings.Count()} {(findings.Count() == 1 ? Word(findings.Key) : $"{Word(findings.Key)}s")}"));

    private static string Word(Severity severity) =>
        severity switch { Severity.Error => "error", Severity.Warning => "warning", _ => "notice" };

    private void Write(Finding finding)
    {
        terminal.Line();
        terminal.Line($"{finding.Id}: {string.Join(", ", finding.Nodes)}", finding.Severity == Severity.Error ? Tone.Bad : Tone.Strong);
        foreach (var line in finding.Evidence) Paragraph(line);
        Paragraph(finding.Consequence);
        foreach (var line in finding.Remedy) Paragraph($"> {line}", Tone.Good);
    }

    private void WriteNotChecked(Diagnosis diagnosis)
    {
        terminal.Line();
        terminal.Line("Not checked", Tone.Strong);
        foreach (var same in diagnosis.NotChecked.GroupBy(one => (one.Node, one.Because)))
            Paragraph($"{same.Key.Node}: {string.Join(", ", same.Select(one => one.Check))} ({same.Key.Because})");
    }

    private void Paragraph(string text, Tone tone = Tone.Plain) => terminal.Line(text, tone, Indent);
}
