namespace Tidemark.Verification;

/// <summary>The style sheet of the page, for light and dark mode, and for widths from 400 pixels.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --ink: #1d2126; --soft-ink: #626a73; --rule: #dcdfe3; --good: #17744a; --good-back: #e5f4ec;
          --bad: #c2272d; --bad-back: #fdeceb; --write: #59616b;
          --n0: #3d6fc4; --n1: #d9822b; --n2: #2b9a8a; --n3: #a24fb5; --n4: #7d8f1f; --n5: #c4487c; --n6: #5a9bd5; --n7: #8a6d4b; }
        @media (prefers-color-scheme: dark) {
          :root { --page: #14171a; --card: #1c2024; --ink: #e7eaed; --soft-ink: #9aa3ad; --rule: #33393f; --good: #6fd3a2; --good-back: #14332a;
            --bad: #ff7a74; --bad-back: #3a1c1e; --write: #aab3bd;
            --n0: #7ea6ef; --n1: #f0a860; --n2: #5fcbbb; --n3: #cf8fe0; --n4: #b8c95c; --n5: #ee86b0; --n6: #9cc8f2; --n7: #c9ab85; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
        main { max-width: 1000px; margin: 0 auto; padding: 28px 20px 60px; }
        h1 { font-size: 26px; line-height: 1.2; margin: 0 0 16px; overflow-wrap: anywhere; } h2 { font-size: 20px; margin: 40px 0 10px; } h3 { font-size: 15px; margin: 18px 0 6px; }
        p { margin: 6px 0; overflow-wrap: anywhere; } .note { color: var(--soft-ink); font-size: 13px; }
        .verdict { padding: 12px 16px; border-radius: 8px; } .good { background: var(--good-back); color: var(--good); } .broken { background: var(--bad-back); color: var(--bad); }
        .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 10px; margin: 16px 0; }
        .facts div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 8px 12px; }
        dt { color: var(--soft-ink); font-size: 12px; } dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
        .shape { border-collapse: collapse; font-size: 14px; width: 100%; } .shape th { text-align: left; font-weight: 500; color: var(--soft-ink); padding: 3px 16px 3px 0; white-space: nowrap; vertical-align: top; }
        .shape td { padding: 3px 0; width: 100%; overflow-wrap: anywhere; }
        .wide { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 6px 4px; margin: 8px 0; }
        svg { display: block; width: 100%; min-width: 780px; height: auto; }
        .legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft-ink); }
        .chip { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; } .chip.plain { background: var(--n0); } .chip.line { width: 2px; height: 13px; background: var(--bad); vertical-align: -2px; }
        .chip.write { border: 2px solid var(--write); }
        .n0 { fill: var(--n0); background: var(--n0); } .n1 { fill: var(--n1); background: var(--n1); } .n2 { fill: var(--n2); background: var(--n2); } .n3 { fill: var(--n3); background: var(--n3); }
        .n4 { fill: var(--n4); background: var(--n4); } .n5 { fill: var(--n5); background: var(--n5); } .n6 { fill: var(--n6); background: var(--n6); } .n7 { fill: var(--n7); background: var(--n7); }
        .as-primary { opacity: .42; } .soft { opacity: .38; } .faint { opacity: .3; }
        .axis { font-size: 11px; fill: var(--soft-ink); } .name { font-size: 12px; fill: var(--ink); font-weight: 600; } .end { text-anchor: end; } .middle { text-anchor: middle; }
        .rule { stroke: var(--rule); stroke-width: 1; } .lane { stroke: var(--rule); stroke-width: 1; stroke-dasharray: 2 4; }
        .fork { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 5 3; } .event { fill: var(--soft-ink); } .bad { fill: var(--bad); background: var(--bad); }
        .write-bar { fill: none; stroke: var(--write); stroke-width: 2; } .unknown { stroke-dasharray: 3 3; } .failed { stroke: var(--bad); stroke-dasharray: 1 3; }
        .culprit { stroke: var(--bad); stroke-width: 2.5; } .step { font-size: 11px; font-weight: 700; fill: var(--ink); text-anchor: middle; } .shown { font-size: 11px; fill: var(--ink); }
        .hand-over { fill: none; stroke: var(--ink); stroke-width: 1.5; } .required { fill: none; stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 5 4; } .tip { fill: var(--ink); } .tip-bad { fill: var(--bad); }
        .violation { border-top: 1px solid var(--rule); padding-top: 4px; margin-top: 24px; } .violation > h3 { color: var(--bad); }
        .steps { padding: 0; margin: 10px 0 0; list-style: none; font-size: 13.5px; } .steps li { padding: 3px 0 3px 30px; position: relative; overflow-wrap: anywhere; }
        .steps b.step-number { position: absolute; left: 0; width: 22px; text-align: right; } .steps .chip { margin-right: 4px; } .steps .here { color: var(--bad); font-weight: 600; }
        .steps time, .events b { color: var(--soft-ink); font-weight: 400; font-variant-numeric: tabular-nums; }
        details { font-size: 13.5px; } summary { cursor: pointer; color: var(--soft-ink); } .events { padding-left: 22px; }
        @media (max-width: 560px) { main { padding: 18px 12px 40px; } h1 { font-size: 21px; } .facts { grid-template-columns: 1fr 1fr; gap: 6px; } .shape th, .shape td { display: block; padding: 0; } .shape th { padding-top: 6px; } }

        """;
}
